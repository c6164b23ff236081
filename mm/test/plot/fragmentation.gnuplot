# SPDX-License-Identifier: MIT
#
# docs/fragmentation.svg from docs/fragmentation.tsv; run by tools/plot, which sets `data` and `out`.
set terminal svg size 1000,520 font "sans-serif,12" background rgb "white"
set output out
set datafile separator "\t"

workloads = "arenas stacks files mix"
policies = "topdown bestfit random"
array colours[3] = ["#1b6ca8", "#2a9d4a", "#c0392b"]
set label 1 "top-down (bottom-up: the same)" at screen 0.20,0.03 textcolor rgb colours[1]
set label 2 "best fit" at screen 0.55,0.03 textcolor rgb colours[2]
set label 3 "random" at screen 0.72,0.03 textcolor rgb colours[3]

rows(policy, workload) = sprintf("< awk -F'\t' '$1 == \"%s\" && $2 == \"%s\"' %s", policy, workload, data)

set multiplot layout 2,4 margins 0.07,0.985,0.17,0.93 spacing 0.045,0.10
set grid lc rgb "#dddddd"
set border lc rgb "#888888"
set tics nomirror textcolor rgb "#333333"
set xrange [48:97]
set xtics 50,10,90
set yrange [0:100]
set ytics 0,25,100
unset key

do for [row = 1:2] {
	do for [w = 1:4] {
		set title (row == 1 ? word(workloads, w) : "")
		set ylabel (w == 1 ? (row == 1 ? "largest hole, % of free" : "maps that fail, %") : "") offset 1
		set xlabel (row == 2 ? "% of the space mapped" : "")
		plot for [p = 1:3] rows(word(policies, p), word(workloads, w)) \
			using 3:(row == 1 ? column(5) : column(6)) with linespoints lw 2 pt 7 ps 0.4 \
			lc rgb colours[p]
		unset label # once is enough
	}
}
unset multiplot
