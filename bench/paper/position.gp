# SPDX-License-Identifier: Apache-2.0
# Milliseconds of a token against its position: gnuplot -e "results='DIR'" bench/paper/position.gp
scripts = system("dirname '".ARG0."'")
figure = "position"
height = 440
load scripts."/style.gp"

fields = "position seconds"
if (count("position", fields) < 2) exit error too_few("position", fields)
size = word(values("position", "size"), 1)
set output results."/".figure.".svg"
set label 1 heading("Milliseconds to decode one token, far into a sequence (".size.")")
set label 2 "Griffin looks back at most a window; a Transformer at everything"
do for [f in families("position")] { eval family_key(f) }
set lmargin at screen 0.075
set rmargin at screen 0.975
set bmargin at screen 60.0 / height
set tmargin at screen above(96)
set logscale xy
set xlabel "position of the token"
set ylabel "milliseconds"
least = lowest("position", "position")
most = highest("position", "position")
set xrange [least / 1.15:most * 1.15]
eval no_xtics
do for [k = 0:6] {
  do for [m in most / least < 3000 ? "1 2 5" : "1"] { set xtics add (decimal(m * 10**k) m * 10**k) }
}
low = 1e3 * lowest("position", "seconds")
high = 1e3 * highest("position", "seconds")
set yrange [low / 1.5:high * 2.2]
eval powers(low, high)
last = " position=".word(values("position", "position"), words(values("position", "position")))." "
plot for [f in families("position")] read_rows("position", of_family(f).fields) \
    using 1:(1e3 * $2) linewidth line_width pointtype 7 linecolor rgb colour(f) title title_of(f), \
  for [f in families("position")] read_rows("position", of_family(f).last.fields) \
    using 1:(1e3 * $2):(sprintf("%.3g ms", 1e3 * $2)) with labels right offset 0,0.9 \
    textcolor rgb colour(f) notitle
