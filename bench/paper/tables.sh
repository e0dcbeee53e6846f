#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: bench/paper/tables.sh DIR
#
# Prints a table in markdown for each CSV of a folder of results that is there.
set -euo pipefail
(($# == 1)) || { sed -n '3s/^# //p' "$0" >&2 && exit 2; }
results=$1
paper=$(dirname "$0")

# What the programs below share. Rows of select.sh are their lines, "-" stands for what is missing.
common='
  function cell(value, format) { return value == "" ? "-" : sprintf(format, value) }
  function ratio(a, b) { return a == "" || !(b > 0) ? "-" : sprintf("%.2f", a / b) }
  # Remembers a value that a column or a row stands for, in the order of their appearance.
  function remember(list, value) {
    if ((list, value) in known) return
    known[list, value] = 1
    item[list, ++items[list]] = value
  }
  function title_of(f) {
    return f == "mqa" ? "MQA" : f == "griffin" ? "Griffin" : f == "hawk" ? "Hawk" : \
      f == "mamba2" ? "Mamba-2" : f
  }
  function rule(columns,    line) {
    line = "|"
    while (columns-- > 0) line = line "---|"
    return line
  }
  function families(format,    line, i) {  # the cells of all families that there are, by name
    for (i = 1; i <= items["family"]; ++i) line = line sprintf(format, title_of(item["family", i]))
    return line
  }
  # A row for each of item["row"], times a factor, and in it of[family, row], times another.
  function by_row(name, row_factor, format, factor,    r, f, key, line) {
    print "| " name " |" families(" %s |") "\n" rule(1 + items["family"])
    for (r = 1; r <= items["row"]; ++r) {
      line = "| " item["row", r] * row_factor " |"
      for (f = 1; f <= items["family"]; ++f) {
        key = item["family", f] SUBSEP item["row", r]
        line = line " " (key in of ? sprintf(format, factor * of[key]) : "-") " |"
      }
      print line
    }
  }
'

# One table: the program prints it from these columns of the CSV, and from others of the rows that have
# them, which it reads first.
table() {  # title, csv, columns, program, other columns
  local rows columns
  [[ -f $results/$2.csv ]] || return 0
  read -r -a columns <<<"$3"
  rows=$("$paper/select.sh" "$results/$2.csv" "${columns[@]}")
  [[ -n $rows ]] || return 0
  printf '\n## %s\n' "$1"
  if (($# == 4)); then awk "$common $4" <<<"$rows" && return; fi
  read -r -a columns <<<"$5"
  awk "$common $4" <("$paper/select.sh" "$results/$2.csv" "${columns[@]}") - <<<"$rows"
}

printf '# Tables\n\nOf the CSV files in this folder; what they hold is in bench/README.md.\n'

table "Seconds to sample n tokens" latency "family size batch prompt tokens seconds" '
  # MQA / family in the paper (figure 4), at 128, 256, ..., 4096 tokens of each of 16 sequences.
  BEGIN {
    paper["griffin", 0] = "0.93 0.94 0.97 1.03 1.13 1.36"
    paper["griffin", 4096] = "1.30 1.34 1.35 1.42 1.57 1.84"
    paper["hawk", 0] = "0.95 0.96 0.99 1.05 1.16 1.39"
    paper["hawk", 4096] = "1.31 1.37 1.38 1.46 1.61 1.89"
  }
  function theirs(f, panel, n,    of, one) {
    split(panel, of, " ")
    if (of[1] != 16 || split(paper[f, of[2]], one, " ") == 0) return "-"
    for (i = 1; i <= 6; ++i) if (64 * 2 ^ i == n) return one[i]
    return "-"
  }
  {
    remember("family", $1); remember("panel", $3 " " $4); remember("tokens", $5)
    seconds[$1, $3 " " $4, $5] = $6
    size = $2
  }
  END {
    for (p = 1; p <= items["panel"]; ++p) {
      split(item["panel", p], of, " ")
      print "\n" size ", batch " of[1] ", prompt of " of[2] " tokens\n"
      print "| tokens |" families(" %s, s |") " MQA / Griffin | the paper | MQA / Hawk | the paper |"
      print rule(5 + items["family"])
      for (t = 1; t <= items["tokens"]; ++t) {
        n = item["tokens", t]
        line = "| " n " |"
        for (f = 1; f <= items["family"]; ++f)
          line = line " " cell(seconds[item["family", f], item["panel", p], n], "%.4g") " |"
        mqa = seconds["mqa", item["panel", p], n]
        for (f = 1; f <= 2; ++f) {
          name = f == 1 ? "griffin" : "hawk"
          line = line " " ratio(mqa, seconds[name, item["panel", p], n]) " | " \
            theirs(name, item["panel", p], n) " |"
        }
        print line
      }
    }
  }'

table "What attention reaches of its ceiling, at the end" latency \
  "family size batch prompt tokens attention_share" '
  {
    remember("family", $1); remember("panel", $3 " " $4)
    share[$1, $3 " " $4] = $6
    size = $2
  }
  END {
    print "\n" size ", of memory or of arithmetic, whichever binds\n"
    print "| batch | prompt |" families(" %s |")
    print rule(2 + items["family"])
    for (p = 1; p <= items["panel"]; ++p) {
      split(item["panel", p], of, " ")
      line = "| " of[1] " | " of[2] " |"
      for (f = 1; f <= items["family"]; ++f)
        line = line " " cell(100 * share[item["family", f], item["panel", p]], "%.0f %%") " |"
      print line
    }
  }'

table "Most tokens a second" throughput "family size tokens best_batch tokens_per_second" '
  # Family / MQA in the paper (figure 1b).
  BEGIN {
    paper["griffin", 512] = 1.1; paper["griffin", 1024] = 1.8
    paper["griffin", 2048] = 3.3; paper["griffin", 4096] = 6.6
    paper["hawk", 512] = 2.5; paper["hawk", 1024] = 4.1
    paper["hawk", 2048] = 7.3; paper["hawk", 4096] = 14.8
  }
  {
    remember("family", $1); remember("tokens", $3)
    batch[$1, $3] = $4
    speed[$1, $3] = $5
    size = $2
  }
  END {
    print "\n" size ", tokens/s (sequences at once)\n"
    print "| tokens |" families(" %s |") " Griffin / MQA | the paper | Hawk / MQA | the paper |"
    print rule(5 + items["family"])
    for (t = 1; t <= items["tokens"]; ++t) {
      n = item["tokens", t]
      line = "| " n " |"
      for (f = 1; f <= items["family"]; ++f) {
        name = item["family", f]
        text = (name, n) in speed ? sprintf("%.4g (%d)", speed[name, n], batch[name, n]) : "-"
        line = line " " text " |"
      }
      print line " " ratio(speed["griffin", n], speed["mqa", n]) " | " \
        cell(paper["griffin", n], "%.1f") " | " ratio(speed["hawk", n], speed["mqa", n]) " | " cell(paper["hawk", n], "%.1f") " |"
    }
  }'

table "Tokens a second by memory" budget "family size tokens budget_bytes tokens_per_second" '
  { remember("family", $1); remember("row", $4); of[$1, $4] = $5; size = $2; n = $3 }
  END {
    print "\n" size ", " n " tokens of each sequence\n"
    by_row("GiB for weights and states", 1 / 2 ^ 30, "%.4g", 1)
  }'

table "Memory of one sequence" state "family size position allocated_bytes" '
  { remember("family", $1); remember("row", $3); of[$1, $3] = $4; size = $2 }
  END { print "\n" size ", MiB allocated\n"; by_row("tokens", 1, "%.4g", 1 / 2 ^ 20) }'

table "Decoding one token far into a sequence" position "family size position seconds" '
  { remember("family", $1); remember("row", $3); of[$1, $3] = $4; size = $2 }
  END { print "\n" size ", milliseconds\n"; by_row("position", 1, "%.4g", 1000) }'

table "Reading a prompt" prefill "family size tokens seconds method" '
  {
    name = title_of($1) ", " $5
    remember("family", name); remember("row", $3)
    of[name, $3] = $4
    size = $2
  }
  END { print "\n" size ", seconds\n"; by_row("tokens", 1, "%.4g", 1) }'

table "Sampled times beside full ones" check \
  "family size batch tokens full_seconds sampled_seconds" '
  NR == 1 { print "\n| family | size | batch | tokens | full, s | sampled, s | sampled / full |\n" rule(7) }
  {
    printf "| %s | %s | %d | %d | %.4g | %.4g | %s |\n", title_of($1), $2, $3, $4, $5, $6, \
      ratio($6, $5)
  }'

table "Scans" scan "kernel isa rows ns_per_element share" '
  # Milliseconds in the paper (figure 8), float32, at 1024, 2048, ... rows.
  BEGIN {
    split("5.11 9.92 19.5 38.6", associative, " ")
    split("0.70 1.43 2.67 5.10 8.68", linear, " ")
  }
  {
    column = $1 ", " $2
    remember("column", column); remember("rows", $3)
    ns[column, $3] = $4
    share[column, $3] = $5
    if ($2 != "libm") best[$1] = column
  }
  END {
    print "\nnanoseconds an element (share of the time that memory allows)\n"
    line = "| rows |"
    for (c = 1; c <= items["column"]; ++c) line = line " " item["column", c] " |"
    print line " associative / linear | the paper |\n" rule(3 + items["column"])
    for (r = 1; r <= items["rows"]; ++r) {
      n = item["rows", r]
      line = "| " n " |"
      for (c = 1; c <= items["column"]; ++c) {
        column = item["column", c]
        text = (column, n) in ns ? sprintf("%.3g (%.0f %%)", ns[column, n], 100 * share[column, n]) : "-"
        line = line " " text " |"
      }
      their = "-"
      for (i = 1; i <= 4; ++i) if (512 * 2 ^ i == n) their = ratio(associative[i], linear[i])
      print line " " ratio(ns[best["associative_scan"], n], ns[best["linear_scan"], n]) " | " their " |"
    }
  }'

table "Loss of longer texts" extrapolation "model trained position mean_loss" '
  { remember("family", $1); remember("row", $3); of[$1, $3] = $4; trained = $2 }
  END {
    print "\nnats a token up to a position; trained with " trained " tokens\n"
    by_row("position", 1, "%.3f", 1)
  }'

table "Types of weights" quality "dtype perplexity kl same_top" '
  NR == FNR { speed[$1] = $2; model = $3; next }
  FNR == 1 {
    print "\n| weights | perplexity | nats a token from f32 | same first choice, % | tokens/s of " \
      model " |"
    print rule(5)
  }
  { printf "| %s | %.3f | %.2e | %.2f | %s |\n", $1, $2, $3, 100 * $4, cell(speed[$1], "%.4g") }' \
  "dtype tokens_per_second speed_model"
