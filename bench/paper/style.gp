# SPDX-License-Identifier: Apache-2.0
# What all figures have in common. Before it is loaded: `figure`, the name of the SVG; `height` in
# pixels; `results`, the folder.
if (!exists("results")) exit error "expected gnuplot -e \"results='DIR'\" and a figure's script"
set terminal svg size 900,height enhanced background "white" font "sans-serif,13"
set encoding utf8

# Rows of a CSV of the results, as arguments of select.sh.
rows(csv, what) = "'".scripts."/select.sh' '".results."/".csv.".csv' ".what
read_rows(csv, what) = "< ".rows(csv, what)
values(csv, what) = system(rows(csv, what)." | sort -gu | tr '\n' ' '")
count(csv, what) = int(system(rows(csv, what)." | wc -l"))
lowest(csv, what) = real(system(rows(csv, what)." | sort -g | head -n 1"))
highest(csv, what) = real(system(rows(csv, what)." | sort -g | tail -n 1"))
first(csv, what) = count(csv, what) == 0 ? NaN : real(system(rows(csv, what)." | head -n 1"))
of_family(f) = "family=".f." "
# The families that a CSV has, always in the same order.
has(csv, f) = count(csv, of_family(f)."size") > 0
families(csv) = (has(csv, "mqa") ? "mqa " : "").(has(csv, "griffin") ? "griffin " : "") \
    .(has(csv, "hawk") ? "hawk " : "").(has(csv, "mamba2") ? "mamba2 " : "")
too_few(csv, what) = sprintf("%s/%s.csv: too few points: expected more rows with %s, found %d", \
    results, csv, what, count(csv, what))

colour(f) = f eq "griffin" ? "#1b6ca8" : f eq "hawk" ? "#3a8f5c" : f eq "mqa" ? "#d9722b" : "#8557b0"
title_of(f) = f eq "griffin" ? "Griffin" : f eq "hawk" ? "Hawk" : f eq "mqa" ? "MQA Transformer" \
    : "Mamba-2"
ink = "#222222"
grey = "#777777"
# 1024 as 1K, 1048576 as 1M; `decimal` of 1000 as 1k.
binary(n) = n >= 1048576 ? sprintf("%gM", n / 1048576) : n >= 1024 ? sprintf("%gK", n / 1024) \
    : sprintf("%g", n)
decimal(n) = n >= 1e6 ? sprintf("%gM", n / 1e6) : n >= 1e3 ? sprintf("%gk", n / 1e3) : sprintf("%g", n)
bytes(n) = n >= 2**30 ? sprintf("%.3g GiB", n / 2**30) : n >= 2**20 ? sprintf("%.3g MiB", n / 2**20) \
    : n >= 2**10 ? sprintf("%.3g KiB", n / 2**10) : sprintf("%g B", n)
plural(n, what) = sprintf("%s %s%s", n, what, n eq "1" ? "" : "s")

set border 3 linecolor rgb "#9a9a9a" linewidth 1
set tics nomirror scale 0.4,0 textcolor rgb "#555555"
no_xtics = "unset xtics; set xtics nomirror scale 0.4,0 textcolor rgb '#555555' ()"
set grid xtics ytics linetype 1 linecolor rgb "#e8e8e8" linewidth 1, linetype 1 linecolor rgb "#e8e8e8"
no_ytics = "unset ytics; set ytics nomirror scale 0.4,0 textcolor rgb '#555555' ()"
# Evaluated: ticks of a logarithmic axis from low to high, at 1, 2 and 5 where there are few powers of 10.
powers(low, high) = sprintf("eval no_ytics; do for [k = %d:%d] { do for [m in '%s'] { \
    set ytics add (sprintf('%%g', m * 10.0**k) m * 10.0**k) } }", \
    floor(log10(low)), ceil(log10(high)), high / low < 300 ? "1 2 5" : "1")
set xlabel textcolor rgb "#444444" offset 0,0.3
set ylabel textcolor rgb "#444444" offset 0.8,0
set title font "sans-serif,13" textcolor rgb ink offset 0,-0.4
unset key
set pointsize 0.75
set style data linespoints
set fit quiet nolog
line_width = 2.2

# Above the panels: two lines of text and a key, which is drawn with the first panel only.
heading(text) = "{/:Bold=17 ".text."}"
above(pixels) = 1.0 - pixels / real(height)
set label 1 at screen 0.015,above(24) left textcolor rgb ink
set label 2 at screen 0.015,above(46) left textcolor rgb grey
key_labels = 10
key_x = 0.022
# Evaluated: one more entry of the key, in so many pixels.
key(text, pixels, shape, of_colour) = sprintf("set label key_labels \"%s\" at screen key_x,above(72) \
    left point pointtype %d pointsize 0.9 linecolor rgb '%s' offset 0.6,-0.2 textcolor rgb ink; \
    key_labels = key_labels + 1; key_x = key_x + %d / 900.0", text, shape, of_colour, pixels)
width_of(f) = f eq "mqa" ? 160 : f eq "mamba2" ? 110 : 90
family_key(f) = key(title_of(f), width_of(f), 7, colour(f))
no_heading = "do for [i in '1 2 10 11 12 13 14 15 16'] { eval 'unset label '.i }"
