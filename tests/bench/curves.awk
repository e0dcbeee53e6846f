# SPDX-License-Identifier: Apache-2.0
# The curves of an SVG that gnuplot drew: "1a MQA Transformer: 6 points, line of 6" for the first of the
# first panel; with -v coordinates="1a" the x and y of the points of that one.
/<g id="gnuplot_plot_/ {
  split($0, part, /"|<title>|<\/title>/)
  id = substr(part[2], 14)
  title = part[4]
  points = vertices = 0
  inside = 1
}
inside && id == coordinates && match($0, /translate\([0-9.]+,[0-9.]+/) {
  split(substr($0, RSTART + 10, RLENGTH - 10), at, ",")
  print at[1], at[2]
}
inside {
  points += gsub(/<use [^>]*>/, "")
  if (!/translate/) vertices += gsub(/[0-9][.][0-9][0-9],[0-9]/, "")
}
inside && /^\t<\/g>/ {
  inside = 0
  if (coordinates == "" && points + vertices > 0)
    print id " " title ": " points " points, line of " vertices
}
