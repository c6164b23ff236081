# SPDX-License-Identifier: MIT
#
# docs/growth/NAME.svg from NAME.tsv; run by tools/growth, which sets `data`, `out`, `series` (names, with
# blanks between), `over` (what x is) and `log_y`.
set terminal svg size 640,360 font "sans-serif,12" background rgb "white"
set output out
set datafile separator "\t"
array colours[4] = ["#1b6ca8", "#2a9d4a", "#c0392b", "#8e6bbf"]

rows(name) = sprintf("< awk -F'\t' '$1 == \"%s\"' %s", name, data)

set grid lc rgb "#dddddd"
set border lc rgb "#888888"
set tics nomirror textcolor rgb "#333333"
set logscale x
set format x "%.0s%c"
set format y "%.0s%c"
set xlabel over
set ylabel "instructions"
set key outside top center horizontal reverse Left
if (log_y) { set logscale y } else { set yrange [0:*] }
plot for [i = 1:words(series)] rows(word(series, i)) using 2:3 with linespoints lw 2 pt 7 ps 0.5 \
	lc rgb colours[i] title word(series, i)
