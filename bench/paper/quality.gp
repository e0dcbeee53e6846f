# SPDX-License-Identifier: Apache-2.0
# What types of weights gain and cost: gnuplot -e "results='DIR'" bench/paper/quality.gp
scripts = system("dirname '".ARG0."'")
figure = "quality"
height = 420
load scripts."/style.gp"

fields = "tokens_per_second perplexity"
if (count("quality", fields) < 2) exit error too_few("quality", fields)
model = word(values("quality", "speed_model"), 1)
shade(dtype) = dtype eq "f32" ? "#777777" : dtype eq "bf16" ? "#1b6ca8" : dtype eq "int8" ? "#d9722b" \
    : "#3a8f5c"
set output results."/".figure.".svg"
set label 1 heading("Smaller weights: speed, and what it costs")
set label 2 "Upright: how well the embedded model foretells held-out text. \
Across: decoding speed of ".model
set multiplot layout 1,2 margins 0.08,0.985,60.0 / height,above(100) spacing 0.1,0
set xlabel "tokens/s of ".model
set xrange [0:highest("quality", "tokens_per_second") * 1.25]
set pointsize 1.3
list = system(rows("quality", "dtype ".fields)." | cut -d ' ' -f 1 | tr '\n' ' '")
points(dtype, y) = read_rows("quality", "dtype=".dtype." tokens_per_second ".y)

set title "perplexity"
low = lowest("quality", "perplexity")
high = highest("quality", "perplexity")
set yrange [low - 0.25 * (high - low) - 0.01:high + 0.25 * (high - low) + 0.01]
plot read_rows("quality", fields) with lines linewidth 1.2 linecolor rgb "#c8c8c8" title "all", \
  for [d in list] points(d, "perplexity") with points pointtype 7 linecolor rgb shade(d) title d, \
  for [d in list] points(d, "perplexity") using 1:2:(d) with labels offset 0,1.1 \
    textcolor rgb shade(d) notitle
eval no_heading

set title "divergence from f32, nats a token"
set logscale y
set format y "10^{%T}"
set yrange [*:*]
apart = ""  # those that differ at all
do for [d in list] { if (first("quality", "dtype=".d." kl") > 0) { apart = apart.d." " } }
if (apart eq "") exit error too_few("quality", "kl")
low = 1.0
do for [d in apart] {
  kl = first("quality", "dtype=".d." kl")
  if (kl < low) { low = kl }
}
set yrange [low / 3:highest("quality", "kl") * 4]
plot for [d in apart] points(d, "kl") with points pointtype 7 linecolor rgb shade(d) title d, \
  for [d in apart] points(d, "kl") using 1:2:(d) with labels left offset 1.1,0 \
    textcolor rgb shade(d) notitle
unset multiplot
