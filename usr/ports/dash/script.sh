# SPDX-License-Identifier: MIT
#
# What shell scripts do, in one: run by dash in an empty directory, here and where its output is known.
# It calls only what stands in PATH, and prints no process number, time or address.
section() { echo "== $*"; }
fail() { echo "FAIL: $*"; exit 1; }

section words and quotes
set -- a 'b c' "d  e" f\ g
echo $# "$1" "$2" "$3" "$4"
for word in "$@"; do echo "<$word>"; done
for word in $*; do printf '%s,' "$word"; done; echo
var='two words'
echo $var "$var" '$var' \$var "${var}s"
echo "nested $(echo "inner $(echo "deep $var")")"
echo `echo old style`
IFS=: ; path=/a:/b:/c; for p in $path; do echo "dir $p"; done; IFS=' 	
'
echo "tab	and \\ back" '"double"' "'single'"
cat <<END
here $var $((1 + 2)) \$escaped
	tabs are kept
END
cat <<-'END'
	here '$var' is not expanded
	END

section parameters
unset none
empty=
echo "${none-default}" "${none:-other}" "${empty-set}" "${empty:-unset}" "${var:+there}"
echo "${assigned:=now}" "$assigned" "${#var}"
file=/usr/lib/name.tar.gz
echo "${file#*/}" "${file##*/}" "${file%.*}" "${file%%.*}"
(: "${none?is missing}") 2>/dev/null || echo "missing: status $?"
echo "args $#: ${1} ${2} last"
shift 2; echo "after shift $# $1"
set -- 1 2 3 4 5 6 7 8 9 10 11; echo "${10} ${11} $10"

section arithmetic
i=7
echo $((i * 6)) $((i / 2)) $((i % 4)) $((-i)) $((i << 3)) $((0x1f)) $((010)) $((1 ? 2 : 3))
echo $((i > 3 && i < 9)) $((!i)) $((~0)) $((2147483647 * 2147483647)) $(((1 << 62) - 1 + (1 << 62)))
i=$((i += 5)); echo $i
n=0; while [ $n -lt 5 ]; do n=$((n + 1)); [ $n = 3 ] && continue; printf '%d ' $n; done; echo
n=10; until [ $n -le 7 ]; do n=$((n - 1)); [ $n = 8 ] && break; done; echo "until $n"

section tests
[ -d . ] && [ ! -e nothing ] && echo "directory"
: >empty.file; [ -f empty.file ] && [ ! -s empty.file ] && echo "empty file"
[ abc = abc ] && [ abc != abd ] && [ -n x ] && [ -z "" ] && echo "strings"
[ 3 -eq 3 ] && [ 3 -ne 4 ] && [ 3 -lt 4 ] && [ 4 -ge 4 ] && echo "numbers"
ln -s empty.file link; [ -L link ] && [ -h link ] && [ -e link ] && echo "link"
ln -s missing dangling; [ -L dangling ] && [ ! -e dangling ] && echo "dangling"
test -r empty.file -a -w empty.file && echo "readable"
chmod 755 empty.file; [ -x empty.file ] && echo "executable"; chmod 644 empty.file

section case
for word in apple banana cherry 42 '*' ''; do
	case $word in
	a*) echo "a: $word" ;;
	b?n*) echo "b: $word" ;;
	[c-d]*) echo "c to d: $word" ;;
	[0-9][0-9]) echo "number: $word" ;;
	'*') echo "star" ;;
	'') echo "nothing" ;;
	*) echo "other" ;;
	esac
done

section functions
count() { local n=$1; [ "$n" -eq 0 ] && return 0; printf '%s ' "$n"; count $((n - 1)); }
count 5; echo
status() { return "$1"; }
status 42; echo "status $?"
status 0 && echo yes || echo no
status 1 && echo yes || echo no
! status 1; echo "not: $?"
scope() { local var=inside; echo "$var"; }
scope; echo "$var"
args() { echo "$# args: $*"; }
args "one two" three

section redirections
echo one >out; echo two >>out; cat out
cat <out | while read -r line; do echo "read $line"; done
{ echo to stdout; echo to stderr >&2; } 2>err; echo "err: $(cat err)"
{ echo both; echo ways >&2; } >both 2>&1; cat both
exec 3>three; echo "to three" >&3; exec 3>&-; cat three
exec 4<out; read -r first <&4; read -r second <&4; exec 4<&-; echo "$first-$second"
echo swapped 3>&1 1>&2 2>&3 | cat
cat <nothing 2>/dev/null || echo "no such file"
set -C; (echo x >out) 2>/dev/null || echo "noclobber"; set +C
echo x >|out; cat out
: >a; : >b; echo a* ; echo [ab]; echo "no match: "nomatch*

section pipelines
printf '%s\n' pear apple fig | sort | head -n 2
printf '%s\n' b a b c a b | sort | uniq -c | while read -r n w; do echo "$w:$n"; done
seq 1 100 | while read -r n; do [ $((n % 25)) = 0 ] && echo "$n"; done
echo "a b c" | tr ' ' '\n' | wc -l | tr -d ' '
seq 1 20000 | cat | cat | cat | tail -n 1
(exit 3) | true; echo "last one counts: $?"
yes | head -n 3
echo hello | { read -r x; echo "got $x"; }
x=$(seq 1 5000 | wc -c); echo $((x + 0))

section subshells
(cd /; var=changed; echo "$var in $(pwd)"); echo "$var"
{ var=group; }; echo "$var"
result=$( (echo sub; exit 7) ); echo "$result $?"
eval 'a=1; b=$((a + 1)); echo "eval $b"'
command -v cd; type fail >/dev/null && echo "fail is known"
umask 022; umask; (umask 077; umask; : >private); ls -l private | cut -c1-10

section background
sleep 0 & wait $!; echo "waited: $?"
(exit 5) & wait $!; echo "status $?"
for n in 1 2 3; do (exit $n) & pids="$pids $!"; done
sum=0; for pid in $pids; do wait "$pid"; sum=$((sum + $?)); done; echo "sum $sum"
(sleep 60) & victim=$!; kill $victim; wait $victim; echo "killed: $?"
(sleep 60) & victim=$!; kill -9 $victim; wait $victim; echo "killed hard: $?"
wait; echo "all done: $?"
wait 999999; echo "no such child: $?"

section traps
(trap 'echo "at exit"' EXIT; echo "in subshell")
(trap 'echo "got TERM"; exit 9' TERM; kill -TERM "$(sh -c 'echo $PPID')"; echo never); echo "status $?"
trap 'echo usr1' USR1; kill -USR1 $$; kill -USR1 $$; trap - USR1
(trap '' TERM; kill -TERM "$(sh -c 'echo $PPID')"; echo "ignored")
sh -c 'kill -INT $$'; echo "int: $?"
sh -c 'kill -SEGV $$' 2>/dev/null; echo "segv: $?"

section files
mkdir -p d/e/f; cd d/e; pwd | sed 's|.*/d/|d/|'; cd ../..
echo data >d/e/f/file; cp d/e/f/file copy; mv copy moved; cat moved
ln moved hard; ls -l moved | awk '{print $2}'; rm hard
rm -r d; [ ! -e d ] && echo "removed"
mkdir full; : >full/x; rmdir full 2>/dev/null || echo "not empty"; rm full/x; rmdir full && echo "empty now"
mkfifo pipe; (echo "through the fifo" >pipe) & cat pipe; wait
touch -t 202001010000 old; [ moved -nt old ] && echo "newer"
find . -name 'e*' | sort
echo "$(cat moved moved | wc -l)" | tr -d ' '

section programs
# The sieve of Eratosthenes, with variables as an array.
sieve() {
	local limit=$1 n=2 m
	while [ $n -le "$limit" ]; do
		eval "[ -z \"\${not_$n-}\" ]" && {
			printf '%d ' $n
			m=$((n * n))
			while [ $m -le "$limit" ]; do
				eval "not_$m=1"
				m=$((m + n))
			done
		}
		n=$((n + 1))
	done
	echo
}
sieve 60
gcd() { if [ "$2" -eq 0 ]; then echo "$1"; else gcd "$2" $(($1 % $2)); fi; }
echo "gcd $(gcd 1071 462)"
fibonacci() {
	local a=0 b=1 i=0 t
	while [ $((i += 1)) -le "$1" ]; do t=$((a + b)); a=$b; b=$t; done
	echo "$a"
}
echo "fibonacci $(fibonacci 30) $(fibonacci 90)"
reverse() {
	local rest=$1 out=
	while [ -n "$rest" ]; do out="${rest%"${rest#?}"}$out"; rest=${rest#?}; done
	echo "$out"
}
reverse "a man, a plan"
words() { tr -c 'a-z' '\n' | grep . | sort | uniq -c | sort -k1,1nr -k2 | head -n 3 | awk '{print $1, $2}'; }
words <<END
the cat and the dog and the bird
and one more dog
END
depth() { [ "$1" -eq 0 ] && echo bottom || depth $(($1 - 1)); }
depth 500
i=0; while [ $i -lt 40 ]; do i=$((i + 1)); x=$(echo $i); done; echo "forty children: $x"

section options
(set -e; false; echo never); echo "errexit: $?"
(set -u; echo "$none") 2>/dev/null; echo "nounset: $?"
(set -f; echo *); set -- $(printf 'x y'); echo "$2"
set -x; : traced; { set +x; } 2>/dev/null
(set -n; echo never)
getopts_test() { while getopts ab:c opt; do echo "option $opt ${OPTARG-}"; done; shift $((OPTIND - 1)); echo "rest $*"; }
getopts_test -a -b value -c rest of it
readonly fixed=1; (fixed=2) 2>/dev/null || echo "readonly"
export EXPORTED=yes; sh -c 'echo "exported $EXPORTED"'; unset EXPORTED; sh -c 'echo "unset ${EXPORTED-gone}"'
ONCE=1 sh -c 'echo "once $ONCE"'; echo "${ONCE-not kept}"
alias greet='echo greetings'
eval greet
printf '%5d|%-5s|%05.1f|%x|%o|%c\n' 42 ab 3.14159 255 8 z 2>/dev/null || echo "no floats"
printf 'octal \101 %s %b\n' 'raw\n' 'cooked\t.'
test -t 0 || echo "not a terminal"
echo "done: $#"
