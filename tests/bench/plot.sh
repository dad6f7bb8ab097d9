#!/bin/sh
# Draws relay.svg and latency.svg from what wsfan-bench wrote with --json:
#   sh tests/bench/plot.sh DIRECTORY
# Reads relay-SIZE.json and latency.json there. Needs gnuplot.
set -eu
cd "$1"

# figure FILE NAME: the value of a figure, or ? where it was not measured
figure() {
    value=$(sed -n "s/^  \"$2\": \([0-9.e+-]*\),\{0,1\}\$/\1/p" "$1")
    echo "${value:-?}"
}

style='set style line 1 lc rgb "#c03028" lw 3 pt 7 ps 0.9
set style line 2 lc rgb "#404040" lw 2 pt 5 ps 0.7
set style line 3 lc rgb "#909090" lw 2 pt 9 ps 0.9
set style line 4 lc rgb "#2878b8" lw 2 pt 13 ps 0.9
set style line 5 lc rgb "#38983c" lw 2 pt 11 ps 0.9
set grid ytics lc rgb "#dddddd"
set border 3 lc rgb "#808080"
set tics nomirror'

for file in $(ls relay-*.json | sort -t - -k 2 -n); do
    size=${file#relay-}
    line=${size%.json}
    for name in wsfan raw packed redis nats; do
        line="$line $(figure "$file" "${name}_per_s")"
    done
    echo "$line"
done >relay.dat

for percentile in 50 90 99 999; do
    label=p$percentile
    [ "$percentile" != 999 ] || label=p99.9
    line="$label $(figure latency.json "p${percentile}_us")"
    for name in raw redis nats; do
        line="$line $(figure latency.json "${name}_p${percentile}_us")"
    done
    echo "$line"
done >latency.dat

gnuplot <<END
set terminal svg size 720,420 font "sans-serif,13" background rgb "white"
set datafile missing "?"
$style
set output "relay.svg"
set title "Relay: one publisher, two subscribers, loopback TCP"
set xlabel "payload, bytes"
set ylabel "messages a second"
set logscale xy
set format y "10^{%T}"
set xtics (16, 128, "1 K" 1024, "16 K" 16384, "256 K" 262144)
set key bottom left
plot "relay.dat" using 1:2 title "libwsfan" with linespoints ls 1, \
     "" using 1:4 title "ZeroMQ, packed by hand" with linespoints ls 2, \
     "" using 1:3 title "ZeroMQ PUB/SUB" with linespoints ls 3, \
     "" using 1:6 title "NATS" with linespoints ls 4, \
     "" using 1:5 title "Redis" with linespoints ls 5

set output "latency.svg"
set title "Latency at 1,000 messages a second, from publish to receipt"
set xlabel "percentile"
set ylabel "microseconds"
unset logscale x
set format y "%g"
set xrange [-0.3:3.3]
set xtics autofreq
set key top left
plot "latency.dat" using 0:2:xtic(1) title "libwsfan" with linespoints ls 1, \
     "" using 0:3 title "ZeroMQ PUB/SUB" with linespoints ls 3, \
     "" using 0:5 title "NATS" with linespoints ls 4, \
     "" using 0:4 title "Redis" with linespoints ls 5
END
rm relay.dat latency.dat
