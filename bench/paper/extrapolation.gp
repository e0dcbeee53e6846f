# SPDX-License-Identifier: Apache-2.0
# Loss against the position of a token, the paper's figure 5:
#   gnuplot -e "results='DIR'" bench/paper/extrapolation.gp
scripts = system("dirname '".ARG0."'")
figure = "extrapolation"
height = 460
load scripts."/style.gp"

fields = "position mean_loss"
if (count("extrapolation", fields) < 2) exit error too_few("extrapolation", fields)
list = ""
do for [f in "mqa griffin hawk"] {
  if (count("extrapolation", "model=".f." ".fields) > 0) { list = list.f." " }
}
trained = real(word(values("extrapolation", "trained"), 1))
set output results."/".figure.".svg"
set label 1 heading("Loss of longer texts than the model was trained with")
set label 2 "Mean over all tokens up to a position of held-out text; 3 million parameters, 700 steps of \
training"
do for [f in list] { eval family_key(f) }
set lmargin at screen 0.075
set rmargin at screen 0.975
set bmargin at screen 60.0 / height
set tmargin at screen above(96)
set logscale x 2
set xlabel "token position"
set ylabel "nats a token"
ns = values("extrapolation", "position")
first_n = real(word(ns, 1))
last_n = real(word(ns, words(ns)))
set xrange [first_n / 1.15:last_n * 1.15]
eval no_xtics
do for [k = 0:24] { set xtics add (binary(2.0**k) 2.0**k) }
if (trained > first_n && trained < last_n) {
  set arrow 1 from first trained,graph 0 to first trained,graph 1 nohead linecolor rgb grey \
      dashtype (4, 4)
  set label 3 sprintf("trained with %g tokens", trained) at first trained,graph 0.97 left \
      offset 0.6,0 textcolor rgb grey
}
set pointsize 0.5
plot for [f in list] read_rows("extrapolation", "model=".f." ".fields) \
    linewidth line_width pointtype 7 linecolor rgb colour(f) title title_of(f)
