# SPDX-License-Identifier: Apache-2.0
# The linear scan beside the associative one, the paper's figure 8:
#   gnuplot -e "results='DIR'" bench/paper/scan.gp
scripts = system("dirname '".ARG0."'")
figure = "scan"
height = 420
load scripts."/style.gp"

fields = "rows ns_per_element"
best(kernel) = system(rows("scan", "isa kernel=".kernel)." | grep -v libm | tail -n 1")
linear = best("linear_scan")
fused = best("rg_lru")
associative = best("associative_scan")
array selected = ["kernel=associative_scan isa=".associative." ", "kernel=linear_scan isa=scalar ", \
    "kernel=linear_scan isa=".linear." ", "kernel=rg_lru isa=".fused." "]
array name = ["associative, ".associative, "linear, scalar", "linear, ".linear, \
    "RG-LRU with its gates, ".fused]
array shade = ["#d9722b", "#9a9a9a", "#3a8f5c", "#1b6ca8"]
array pixels = [210, 130, 180, 200]
do for [i = 1:4] {
  if (count("scan", selected[i].fields) < 1) { exit error too_few("scan", selected[i].fields) }
}

set output results."/".figure.".svg"
set label 1 heading("Scanning along time: step by step, or as a tree")
set label 2 "A CPU fills its lanes with channels; the tree of an associative scan only adds work"
do for [i = 1:4] { eval key(name[i], pixels[i], 7, shade[i]) }
set multiplot layout 1,2 margins 0.07,0.985,60.0 / height,above(122) spacing 0.09,0
ns = values("scan", "rows")
set logscale x 2
set xlabel "length of the sequence"
set xrange [word(ns, 1) / 1.15:word(ns, words(ns)) * 1.15]
eval no_xtics
do for [n in ns] { set xtics add (binary(n + 0) n) }

set title "nanoseconds an element"
set logscale y
low = 1e9
high = 0
do for [i = 1:4] {
  least = lowest("scan", selected[i]."ns_per_element")
  most = highest("scan", selected[i]."ns_per_element")
  low = least < low ? least : low
  high = most > high ? most : high
}
set yrange [low / 1.5:high * 1.5]
eval powers(low, high)
plot for [i = 1:4] read_rows("scan", selected[i].fields) using 1:2 linewidth line_width pointtype 7 \
    linecolor rgb shade[i] title name[i]
eval no_heading

set title "share of the time that memory allows, %"
unset logscale y
unset ytics
set ytics nomirror scale 0.4,0 textcolor rgb "#555555" autofreq
set yrange [0:*]
plot for [i = 1:4] read_rows("scan", selected[i]."rows share") using 1:(100 * $2) \
    linewidth line_width pointtype 7 linecolor rgb shade[i] title name[i]
unset multiplot
