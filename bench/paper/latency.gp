# SPDX-License-Identifier: Apache-2.0
# Seconds to sample n tokens, the paper's figure 4: gnuplot -e "results='DIR'" bench/paper/latency.gp
scripts = system("dirname '".ARG0."'")
figure = "latency"
height = 700
load scripts."/style.gp"

fields = "tokens seconds"
if (count("latency", fields) < 2) exit error too_few("latency", fields)
batches = system(rows("latency", "batch")." | sort -gru | head -n 2 | tr '\n' ' '")
prompts = values("latency", "prompt")
size = word(values("latency", "size"), 1)
of_panel(b, p) = " batch=".b." prompt=".p." "
seconds(f, b, p, n) = first("latency", of_family(f).of_panel(b, p)." tokens=".n." seconds")
ratio(f, b, p, n) = seconds("mqa", b, p, n) / seconds(f, b, p, n)
said(f, b, p, n) = ratio(f, b, p, n) > 0 ? sprintf("\n%.2f × %s", ratio(f, b, p, n), title_of(f)) : ""
compared(b, p, n) = said("griffin", b, p, n).said("hawk", b, p, n)

set output results."/".figure.".svg"
set label 1 heading("Seconds to sample n tokens (".size.")")
set label 2 "Without reading the prompt. The Transformer reads ever more keys with each token; \
Griffin and Hawk do not"
do for [f in families("latency")] { eval family_key(f) }
set logscale x 2
set logscale y
rows_of_panels = words(batches)
set multiplot layout rows_of_panels,words(prompts) \
    margins 0.075,0.985,60.0 / height,above(122) spacing 0.075,0.12
do for [row = 1:rows_of_panels] {
  b = word(batches, row)
  low = lowest("latency", "seconds batch=".b)
  high = highest("latency", "seconds batch=".b)
  set yrange [low / 1.4:high * 1.4]
  eval powers(low, high)
  do for [p in prompts] {
    ns = values("latency", of_panel(b, p)."tokens")
    eval no_xtics
    do for [n in ns] { set xtics add (n n) }
    last = word(ns, words(ns))
    set xrange [word(ns, 1) / 1.15:last * 1.15]
    set xlabel row == rows_of_panels ? "tokens sampled" : ""
    set ylabel p eq word(prompts, 1) ? "seconds" : ""
    set title plural(b, "sequence").", ".(p eq "0" ? "empty prompt" : "prompt of ".p." tokens")
    note = compared(b, p, last)
    note = note eq "" ? "" : "MQA at ".last.":".note
    set label 3 note at graph 0.97,0.25 right textcolor rgb grey
    plot for [f in families("latency")] read_rows("latency", of_family(f).of_panel(b, p).fields) \
        using 1:2 linewidth line_width pointtype 7 linecolor rgb colour(f) title title_of(f)
    eval no_heading
  }
}
unset multiplot
