# SPDX-License-Identifier: Apache-2.0
# Bytes that the state of a sequence has: gnuplot -e "results='DIR'" bench/paper/state.gp
scripts = system("dirname '".ARG0."'")
figure = "state"
height = 440
load scripts."/style.gp"

fields = "position allocated_bytes"
if (count("state", fields) < 2) exit error too_few("state", fields)
size = word(values("state", "size"), 1)
positions = values("state", "position")
set output results."/".figure.".svg"
set label 1 heading("Memory of one sequence (".size.")")
set label 2 "Keys and values (bf16) of a Transformer grow with each token; a window of them and a \
recurrent state (f32) do not"
do for [f in families("state")] { eval family_key(f) }
set lmargin at screen 0.095
set rmargin at screen 0.975
set bmargin at screen 60.0 / height
set tmargin at screen above(96)
set logscale xy
set xlabel "tokens in the sequence"
set xrange [word(positions, 1) / 1.15:word(positions, words(positions)) * 1.15]
eval no_xtics
do for [n in positions] { set xtics add (binary(n + 0) n) }
low = lowest("state", "allocated_bytes")
high = highest("state", "allocated_bytes")
set yrange [low / 1.5:high * 2.2]
eval no_ytics
doublings = log10(high / low) / log10(2)
do for [k = 0:50:doublings > 10 ? 2 : 1] { set ytics add (bytes(2.0**k) 2.0**k) }
last = word(positions, words(positions))
plot for [f in families("state")] read_rows("state", of_family(f).fields) \
    linewidth line_width pointtype 7 linecolor rgb colour(f) title title_of(f), \
  for [f in families("state")] read_rows("state", of_family(f)."position=".last." ".fields) \
    using 1:2:(bytes($2)) with labels right offset 0,0.9 textcolor rgb colour(f) notitle
