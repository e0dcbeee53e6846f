# SPDX-License-Identifier: Apache-2.0
# Seconds to read a prompt, with fits: gnuplot -e "results='DIR'" bench/paper/prefill.gp
scripts = system("dirname '".ARG0."'")
figure = "prefill"
height = 460
load scripts."/style.gp"

fields = "tokens seconds"
lengths = values("prefill", "tokens")
size = word(values("prefill", "size"), 1)
# What was sampled has all lengths; some may have been read in full, too.
method = count("prefill", "method=sampled tokens") > 0 ? "method=sampled " : "method=full "
of_griffin = of_family("griffin").method.fields
of_mqa = of_family("mqa").method.fields
if (count("prefill", of_griffin) < 3) exit error too_few("prefill", of_griffin)
if (count("prefill", of_mqa) < 3) exit error too_few("prefill", of_mqa)
griffin = read_rows("prefill", of_griffin)
mqa = read_rows("prefill", of_mqa)

# In microseconds, so that all numbers are of a size that `fit` likes; relative errors count. Griffin is
# linear where prompts are longer than the window: from 4096 tokens on, or of all if these are too few.
from = 0
do for [n in lengths] { if (n >= 4096 && from == 0) { from = n + 0 } }
stats griffin using ($1 >= from ? $1 : NaN):2 nooutput name "long"
if (long_records < 3) { from = real(word(lengths, 1)) }
griffin_us(n) = a + b * n
a = 1; b = 100
fit griffin_us(x) griffin using ($1 >= from ? $1 : NaN):(1e6 * $2):(1e6 * $2) yerror via a, b
mqa_us(n) = d + e * n + c * n * n
d = 1; e = 100; c = 0.001
fit mqa_us(x) mqa using 1:(1e6 * $2):(1e6 * $2) yerror via d, e, c
deviation(us, s) = 100 * abs(1e6 * s / us - 1)
stats griffin using ($1 >= from ? deviation(griffin_us($1), $2) : NaN) nooutput name "griffin_off"
stats mqa using (deviation(mqa_us($1), $2)) nooutput name "mqa_off"

set output results."/".figure.".svg"
set label 1 heading("Seconds to read a prompt of n tokens (".size.")")
set label 2 "Griffin's time grows linearly beyond its window; a Transformer's gains a quadratic part"
eval key(sprintf("MQA Transformer: %.3g µs a token + %.3g ns × n², within %.1f %%", \
                 e, 1e3 * c, mqa_off_max), 430, 7, colour("mqa"))
eval key(sprintf("Griffin: %.3g µs a token beyond %g, within %.1f %%", \
                 b, from, griffin_off_max), 400, 7, colour("griffin"))
set pointsize 0.9
set lmargin at screen 0.075
set rmargin at screen 0.975
set bmargin at screen 60.0 / height
set tmargin at screen above(96)
set logscale xy
set xlabel "tokens of the prompt"
set ylabel "seconds"
first_n = real(word(lengths, 1))
last_n = real(word(lengths, words(lengths)))
set xrange [first_n / 1.15:last_n * 1.15]
eval no_xtics
do for [n in lengths] { set xtics add (binary(n + 0) n) }
low = lowest("prefill", "seconds")
high = highest("prefill", "seconds")
set yrange [low / 1.5:high * 1.5]
eval powers(low, high)
fitted(us, n, start) = n >= start && us > 0 ? us / 1e6 : NaN
in_full = count("prefill", "method=full tokens") > 0 && method eq "method=sampled " ? "mqa griffin" : ""
set label 3 in_full eq "" ? "" : "rings: read in full, the others sampled" at graph 0.98,0.05 right \
    textcolor rgb grey
set samples 400
plot fitted(mqa_us(x), x, first_n) with lines linewidth 1.4 linecolor rgb colour("mqa") \
    title "fit of MQA", \
  fitted(griffin_us(x), x, from) with lines linewidth 1.4 linecolor rgb colour("griffin") \
    title "fit of Griffin", \
  mqa using 1:2 with points pointtype 7 linecolor rgb colour("mqa") title title_of("mqa"), \
  griffin using 1:2 with points pointtype 7 linecolor rgb colour("griffin") title title_of("griffin"), \
  for [f in in_full] read_rows("prefill", of_family(f)."method=full ".fields) with points pointtype 6 \
    pointsize 1.6 linewidth 1.4 linecolor rgb colour(f) title title_of(f).", in full"
