#!/bin/sh
# SPDX-License-Identifier: MIT
# The shell tests itself. Any POSIX shell must pass this.

n=0
failed=0

# is NAME WANTED GOT
is()
{
	n=$((n + 1))
	if [ "$2" = "$3" ]; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1: is [$3], should be [$2]"
		failed=1
	fi
}

args()
{
	printf '%s' "$#"
	for arg in "$@"; do printf ' <%s>' "$arg"; done
}

folder=${TMPDIR:-/tmp}/t_shell.$$
mkdir -p "$folder" && cd "$folder" || exit 1

# --- quoting and words
is quotes '4 <a> <b c> <d  e> <f g>' "$(args a "b c" 'd  e' f\ g)"
is mixed_quotes "1 <a'b\"c>" "$(args a\'b\"c)"
is double_quote_escapes 'a"b$c\d' "$(printf %s "a\"b\$c\\d")"
is empty_words '2 <> <>' "$(args '' "")"
is comment '1 <a#b>' "$(args a#b # not this
)"
is continued_line ab "$(printf a\
b)"

# --- variables
x=1
is braces '1y1' "${x}y$x"
is default '1 d' "${x:-d} ${unset_one:-d}"
is default_only_unset ' d' "$(e=; printf '%s %s' "${e-d}" "${unset_one-d}")"
is assign_default 'd d' "${fresh:=d} $fresh"
is alternative 'set ' "${x:+set} ${unset_one:+set}"
is length '5' "$(s=abcde; echo ${#s})"
p=/a/b/c.tar.gz
is cut_patterns 'c.tar.gz /a/b/c.tar /a/b/c a/b/c.tar.gz' "${p##*/} ${p%.*} ${p%%.*} ${p#*/}"
is splitting '3 <a> <b> <c>' "$(v=' a  b c '; args $v)"
is no_splitting_in_quotes '1 < a  b c >' "$(v=' a  b c '; args "$v")"
is splitting_by_ifs '4 <a> <b> <> <c>' "$(v=a:b::c; IFS=:; args $v)"
is assignments_in_order 'ab' "$(a=a b=${a}b; echo $b)"
is assignment_for_one_command '5 none' "$(unset v; v=5 sh -c 'printf %s $v'; echo " ${v:-none}")"
is export_reaches_commands 7 "$(export v=7; sh -c 'echo $v')"
is readonly_status 3 "$(sh -c 'exit 3'; echo $?)"
set -- p q 'r s'
is parameters '3 p <r s>' "$# $1 <$3>"
is all_parameters '3 <p> <q> <r s>' "$(args "$@")"
is joined_parameters '1 <p q r s>' "$(args "$*")"
is parameters_in_a_word '3 <xp> <q> <r sy>' "$(args "x$@y")"
shift
is shift 'q' "$1"
set --
is no_parameters '0' "$(args "$@")"

# --- commands in words, arithmetic
is substitution 'a b' "$(echo $(echo a; echo b))"
is backquotes 'out in' "`echo out \`echo in\``"
is nested 'a b c' "$(echo a $(echo b $(echo c)))"
is newlines_are_cut '<a>' "<$(printf 'a\n\n\n')>"
is substitution_status 4 "$(y=$(exit 4); echo $?)"
is arithmetic '7 20 1 -1 1' "$((1 + 2 * 3)) $(((2 + 3) * 4)) $((7 % 3)) $((-3 / 2)) $((1 < 2 && 3 > 2))"
is arithmetic_variables '5 5 8' "$((v = 5)) $v $((v += 3))"
is arithmetic_bits '16 6 5 3' "$((1 << 4)) $((0xf & 6)) $((4 | 1)) $((2 ^ 1))"
is arithmetic_choice '2 3' "$((1 ? 2 : 3)) $((0 ? 2 : 3))"

# --- control
is and_or 'b
c
d' "$(false && echo a || echo b; true && echo c; false || echo d)"
is not '1 0' "$(! true; printf '%s ' $?; ! false; echo $?)"
is if_elif_else b "$(if false; then echo a; elif true; then echo b; else echo c; fi)"
is while_loop '1 2 4 5 ' "$(i=0; while [ $i -lt 9 ]; do i=$((i + 1)); [ $i = 3 ] && continue
	[ $i = 6 ] && break; printf '%s ' $i; done)"
is until_loop '3' "$(i=0; until [ $i = 3 ]; do i=$((i + 1)); done; echo $i)"
is for_loop 'abc' "$(for i in a b c; do printf $i; done)"
is break_two '11 ' "$(for i in 1 2; do for j in 1 2; do [ $j = 2 ] && break 2; printf "$i$j "; done; done)"
is case_patterns 'two' "$(case foo.c in *.h) echo one ;; *.[co]) echo two ;; *) echo three ;; esac)"
is case_alternatives 'yes' "$(case b in (a | b) echo yes ;; esac)"
is case_quoted 'star' "$(case '*' in a) echo a ;; '*') echo star ;; esac)"
is functions '2 b 5' "$(f() { printf '%s %s ' $# $2; return 5; }; f a b; echo $?)"
is recursion '120' "$(f() { if [ $1 = 0 ]; then echo 1; else echo $(($1 * $(f $(($1 - 1))))); fi; }
	f 5)"
is subshell 'in out' "$(v=out; (v=in; printf '%s ' $v); echo $v)"
is group 'a
b' "$({ echo a; echo b; })"
is eval_runs '1' "$(c='echo $x'; eval "$c")"
is errexit 'a' "$(sh -ec 'echo a; false; echo b')"
is errexit_conditions 'b' "$(sh -ec 'if false; then :; fi; false || true; echo b')"

# --- pipes and redirections
is pipe 3 "$(printf 'a\nb\nc\n' | wc -l | cat)"
is pipe_status '1 0' "$(true | false; printf '%s ' $?; false | true; echo $?)"
is pipe_of_loops 'a-b-c-' "$(printf 'a\nb\nc\n' | while read l; do printf '%s-' $l; done)"
echo one > f
echo two >> f
is append 'one two' "$(echo $(cat < f))"
is error_output 'e' "$(sh -c 'echo e >&2' 2>&1)"
is order_counts '' "$(sh -c 'echo e >&2' 2>&1 >/dev/null | cat >/dev/null)"
is both_into_a_file 'e o' "$(sh -c 'echo e >&2; echo o' > g 2>&1; echo $(cat g))"
is closed_input '1' "$(cat <&- >/dev/null 2>&1; echo $?)"
exec 5> h
echo five >&5
exec 5>&-
is own_descriptor five "$(cat h)"
is missing_input '1' "$( { cat < none; } 2>/dev/null; [ $? -ne 0 ]; echo $((1 - $?)))"
is here_document 'a 1
b 2' "$(cat <<END
a $x
b $((x + 1))
END
)"
is here_document_quoted 'a $x `b`' "$(cat <<'END'
a $x `b`
END
)"
is here_document_tabs 'a' "$(cat <<-END
	a
	END
)"
is two_here_documents 'b
a' "$(cat <<A; cat <<B
b
A
a
B
)"
is redirected_loop '2' "$(i=0; while read l; do i=$((i + 1)); done < f; echo $i)"
is read_splits 'a|b c' "$(echo ' a  b c ' | { read v w; echo "$v|$w"; })"
is read_with_ifs 'a|b|c' "$(echo a:b:c | { IFS=: read v w z; echo "$v|$w|$z"; })"

# --- file names
mkdir d
touch a.c b.c .hidden 'c d' d/x.c
is glob '3 <a.c> <b.c> <d/x.c>' "$(args *.c */*.c)"
is glob_without_match '1 <*.none>' "$(args *.none)"
is glob_hidden '1 <.hidden>' "$(args .h*)"
is glob_quoted '1 <*>' "$(args '*')"
is glob_brackets '2 <a.c> <b.c>' "$(args [a-b].c)"
is glob_not '1 <b.c>' "$(args [!a].c)"
is glob_blank '1 <c d>' "$(args c*)"
is tilde '/h /h/x ~' "$(HOME=/h; echo ~ ~/x '~')"

# --- jobs and exits
is background '7' "$( (exit 7) & wait $!; echo $?)"
is wait_for_all '0' "$( (exit 7) & (exit 8) & wait; echo $?)"
is killed_status '143' "$(sh -c 'kill $$' 2>/dev/null; echo $?)" 2>/dev/null
is not_found '127' "$(no-such-command 2>/dev/null; echo $?)"
is not_executable '126' "$(./f 2>/dev/null; echo $?)"
is exit_status_of_list '9' "$( (true; exit 9); echo $?)"
echo 'echo "script $1 $#"; exit 6' > s
is script 'script a 2
6' "$(sh s a b; echo $?)"
is dot 'script  0' "$( (. ./s))"
is syntax_error '2' "$(sh -c 'if; then' 2>/dev/null; echo $?)"

# --- test
is test_strings 'yyn' "$([ a = a ] && printf y; [ a != b ] && printf y; [ '' ] || printf n)"
is test_numbers 'yyy' "$([ 2 -lt 10 ] && printf y; [ 2 -ge 2 ] && printf y; [ 1 -ne 2 ] && printf y)"
is test_files 'yyyy' "$([ -f f ] && printf y; [ -d d ] && printf y; [ ! -e none ] && printf y
	[ -s f ] && printf y)"
is test_and_or 'y' "$([ -f f -a ! -d f ] && printf y)"

cd / && rm -r "$folder"
echo "1..$n"
exit $failed
