# SPDX-License-Identifier: Apache-2.0
# The most tokens a second, the paper's figure 1 (b):
#   gnuplot -e "results='DIR'" bench/paper/throughput.gp
scripts = system("dirname '".ARG0."'")
figure = "throughput"
height = 400
load scripts."/style.gp"

fields = "tokens tokens_per_second"
if (count("throughput", fields) < 2) exit error too_few("throughput", fields)
if (count("budget", "budget_bytes tokens_per_second") < 2) \
  exit error too_few("budget", "budget_bytes tokens_per_second")
size = word(values("throughput", "size"), 1)
ns = values("throughput", "tokens")
budget = real(word(values("throughput", "budget_bytes"), 1))
list = families("throughput")

set output results."/".figure.".svg"
set label 1 heading("Most tokens a second when many sequences share the memory (".size.")")
last_of(f, limit) = first("throughput", of_family(f)."tokens=".word(ns, words(ns))." ".limit)
set label 2 last_of("mqa", "compute_ceiling") < last_of("mqa", "memory_ceiling") ? \
  "Smaller states let more sequences in. Arithmetic (dotted) binds before memory (dashed), unlike on \
a TPU-v3" : \
  "Smaller states let more sequences in: weights are read once for all of them"
do for [f in list] { eval family_key(f) }
eval key("limit of memory (– –) and of arithmetic (· · ·)", 260, -1, "#ffffff")
set logscale xy
set logscale x 2
set multiplot layout 1,3 margins 0.07,0.985,60.0 / height,above(122) spacing 0.075,0

set title "tokens/s, ".bytes(budget)." of memory"
set xlabel "tokens sampled by each sequence"
eval no_xtics
do for [n in ns] { set xtics add (n n) }
ns_first = real(word(ns, 1))
ns_last = real(word(ns, words(ns)))
set xrange [ns_first / 1.25:ns_last * 1.25]
low = lowest("throughput", "tokens_per_second")
high = highest("throughput", "tokens_per_second")
do for [limit in "memory_ceiling compute_ceiling"] {
  if (count("throughput", limit) > 0 && highest("throughput", limit) > high) {
    high = highest("throughput", limit)
  }
}
set yrange [low / 1.3:high * 1.3]
eval powers(low, high)
plot for [f in list] read_rows("throughput", of_family(f)."tokens memory_ceiling") \
    with lines dashtype (8, 5) linewidth 1.2 linecolor rgb colour(f) title title_of(f).", memory", \
  for [f in list] read_rows("throughput", of_family(f)."tokens compute_ceiling") \
    with lines dashtype (2, 4) linewidth 1.4 linecolor rgb colour(f) title title_of(f).", arithmetic", \
  for [f in list] read_rows("throughput", of_family(f).fields) \
    linewidth line_width pointtype 7 linecolor rgb colour(f) title title_of(f)
eval no_heading

# Beside the paper's, which are of 1.3B on a TPU-v3.
their_tokens = "512 1024 2048 4096"
theirs(f) = f eq "griffin" ? "1.1 1.8 3.3 6.6" : "2.5 4.1 7.3 14.8"
speed(f, n) = first("throughput", of_family(f)."tokens=".n." tokens_per_second")
bottom = 1.0
top = 16
faster = ""  # the families that have ratios, a block of $ours each
set print $ours
do for [f in "griffin hawk mamba2"] {
  found = 0
  do for [n in ns] {
    ratio = speed(f, n) / speed("mqa", n)
    if (ratio > 0) {
      found = found + 1
      print n, " ", ratio
    }
    if (ratio > top) { top = ratio }
    if (ratio < bottom) { bottom = ratio }
  }
  if (found > 0) {
    faster = faster.f." "
    print ""; print ""
  }
}
set print
set print $paper
do for [f in "griffin hawk"] {
  do for [i = 1:4] { print word(their_tokens, i), " ", word(theirs(f), i) }
  print ""; print ""
}
set print
set title "times the MQA Transformer's"
do for [n in their_tokens] { set xtics add (n n) }
least = ns_first < 512 ? ns_first : 512
most = ns_last > 4096 ? ns_last : 4096
set xrange [least / 1.25:most * 1.25]
set yrange [bottom / 1.4:top * 1.5]
eval powers(bottom / 1.4, top)
set label 3 "rings: the paper's (TPU-v3)" at graph 0.03,0.95 left textcolor rgb grey
plot for [i = 1:2] $paper index i - 1 using 1:2 dashtype (4, 4) linewidth 1.2 pointtype 6 \
    linecolor rgb colour(word("griffin hawk", i)) \
    title title_of(word("griffin hawk", i)).", the paper's", \
  for [i = 1:words(faster)] $ours index i - 1 using 1:2 linewidth line_width pointtype 7 \
    linecolor rgb colour(word(faster, i)) title title_of(word(faster, i)).", ours"
unset label 3

set title "tokens/s, ".word(ns, words(ns))." tokens, by memory"
set xlabel "GiB for weights and states"
least = lowest("budget", "budget_bytes") / 2**30
most = highest("budget", "budget_bytes") / 2**30
set xrange [least / 1.25:most * 1.25]
eval no_xtics
do for [k = floor(log10(least) / log10(2)):ceil(log10(most) / log10(2))] {
  set xtics add (sprintf("%g", 2.0**k) 2.0**k, sprintf("%g", 1.5 * 2.0**k) 1.5 * 2.0**k)
}
low = lowest("budget", "tokens_per_second")
high = highest("budget", "tokens_per_second")
set yrange [low / 1.3:high * 1.3]
eval powers(low, high)
plot for [f in families("budget")] \
    read_rows("budget", of_family(f)."budget_bytes tokens_per_second") using ($1 / 2**30):2 \
    linewidth line_width pointtype 7 linecolor rgb colour(f) title title_of(f)
unset multiplot
