#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: bench/paper/select.sh FILE.csv COLUMN... [COLUMN=VALUE...]
#
# Rows of a CSV file: the values of the columns named, with spaces between them, of the rows where
# the others have these values. Rows without one of the values are left out. The file is checked
# whole, and nothing printed if it is malformed.
set -euo pipefail
(($# > 1)) || { sed -n '3s/^# //p' "$0" >&2 && exit 2; }
[[ -f $1 ]] || { echo "select.sh: error: no file $1" >&2 && exit 1; }
awk -F, -v arguments="${*:2}" -v file="$1" '
  function fail(message) {
    print "select.sh: error: " file ": " message >"/dev/stderr"
    failed = 1
    exit 1
  }
  BEGIN {
    text = " family size isa cpu kernel model dtype method attention_bound speed_model "
    count = split(arguments, wanted, " ")
  }
  { sub(/\r$/, "") }
  NR == 1 {
    columns = NF
    for (i = 1; i <= NF; ++i) { at[$i] = i; name[i] = $i }
    for (i = 1; i <= count; ++i) {
      equals = index(wanted[i], "=")
      column = equals ? substr(wanted[i], 1, equals - 1) : wanted[i]
      if (!(column in at)) fail("expected a column \"" column "\", found \"" $0 "\"")
      if (equals) value_of[at[column]] = substr(wanted[i], equals + 1)
      else printed[++prints] = at[column]
    }
    next
  }
  NF != columns { fail("line " NR ": expected " columns " fields, found " NF) }
  function is_number(field) {
    return field ~ /^[-+]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][-+]?[0-9]+)?$/
  }
  {
    for (i = 1; i <= NF; ++i) {
      if ($i == "" || index(text, " " name[i] " ") || is_number($i)) continue
      fail("line " NR ": expected a number as " name[i] ", found \"" $i "\"")
    }
    line = ""
    for (i in value_of) if ($i "" != value_of[i]) next
    for (i = 1; i <= prints; ++i) {
      if ($(printed[i]) == "") next
      line = line (i > 1 ? " " : "") $(printed[i])
    }
    lines[++selected] = line
  }
  END {
    if (failed) exit 1
    if (NR == 0) fail("expected a line of names, found nothing")
    for (i = 1; i <= selected; ++i) print lines[i]
  }' <"$1"
