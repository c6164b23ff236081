// SPDX-License-Identifier: MIT
// The shell's parts and what passes between them:
//
//   source.c   bytes of a script, a string or an edited line          (edit.c: the line editor)
//   lex.c      bytes -> tokens; words stay as written, quotes and all
//   parse.c    tokens -> a tree for one complete command
//   exec.c     walks the tree: forks, pipes                          (redirect.c)
//   jobs.c     process groups, the terminal, waiting
//   expand.c   a word as written -> the fields it stands for         (pattern.c, arith.c)
//   vars.c, builtin.c, test.c   variables; commands that run in the shell itself
//
// Memory: a tree and all its words live in one arena, freed when the command has run (kept when it
// defined a function). What an expansion makes lives in a second arena, cut back after each simple
// command, so that a loop does not grow.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define FD_KEPT_MIN 10 // descriptors of the shell's own start here

// --- arena.c

struct chunk;

struct arena {
	struct chunk *chunks; // the newest first
};

struct arena_mark {
	struct chunk *chunk;
	size_t used;
};

void *arena_get(struct arena *arena, size_t bytes);
char *arena_string(struct arena *arena, const char *s, size_t n);
struct arena_mark arena_mark(const struct arena *arena);
void arena_cut(struct arena *arena, struct arena_mark mark);
void arena_free(struct arena *arena);

// A string under construction in an arena.
struct text {
	struct arena *arena;
	char *s; // ends with a NUL after text_end
	size_t n, room;
};

void text_add(struct text *text, char c);
void text_add_string(struct text *text, const char *s);
char *text_end(struct text *text);

// A list of strings in an arena; s[n] is NULL after strings_end.
struct strings {
	struct arena *arena;
	char **s;
	size_t n, room;
};

void strings_add(struct strings *list, char *s);
char **strings_end(struct strings *list);

// --- source.c

struct source {
	int fd; // -1: there is only the text
	bool interactive, one_by_one, ended;
	bool fresh; // the next line is the first of a command: prompt with PS1
	char *text;
	size_t at, n, room;
	int line;
};

void source_string(struct source *source, const char *text);
void source_fd(struct source *source, int fd, bool interactive);
int source_next(struct source *source); // the next byte, or -1
void source_back(struct source *source);
void source_discard(struct source *source); // forget what has been read: a new command starts
void source_discard_line(struct source *source);
void source_free(struct source *source);

// --- edit.c

// Reads a line with its newline through the editor into *LINE (malloc'd memory that the caller
// owns), 0 at Ctrl-D on an empty line, -1 when the terminal cannot be edited on: use read(2).
// Ctrl-C gives "\n" and sets *INTERRUPTED.
ssize_t edit_line(const char *prompt, char **line, bool *interrupted);
void edit_history(void); // prints it

// --- lex.c and parse.c

enum token {
	TOKEN_END,
	TOKEN_NEWLINE,
	TOKEN_WORD,
	TOKEN_IO_NUMBER, // digits right before < or >
	TOKEN_SEMICOLON,
	TOKEN_DOUBLE_SEMICOLON,
	TOKEN_AMPERSAND,
	TOKEN_AND,
	TOKEN_OR,
	TOKEN_PIPE,
	TOKEN_OPEN,
	TOKEN_CLOSE,
	// redirections, in the order of enum redirect_kind
	TOKEN_LESS,
	TOKEN_GREATER,
	TOKEN_APPEND,
	TOKEN_READ_WRITE,
	TOKEN_CLOBBER,
	TOKEN_DUP_IN,
	TOKEN_DUP_OUT,
	TOKEN_HERE,
	TOKEN_HERE_TABS,
};

struct word {
	struct word *next;
	char *text; // as written
};

enum redirect_kind {
	REDIRECT_IN,
	REDIRECT_OUT,
	REDIRECT_APPEND,
	REDIRECT_READ_WRITE,
	REDIRECT_CLOBBER,
	REDIRECT_DUP_IN,
	REDIRECT_DUP_OUT,
	REDIRECT_HERE,
	REDIRECT_HERE_TABS,
};

struct redirect {
	struct redirect *next;
	enum redirect_kind kind;
	int fd;
	char *target;               // a word; of a here-document its end mark, then its text
	bool literal;               // here-document with a quoted end mark: not expanded
	struct redirect *here_next; // the next here-document of the same line
};

enum node_kind {
	NODE_SIMPLE,     // assignments words redirects
	NODE_PIPE,       // left | right
	NODE_AND,        // left && right
	NODE_OR,         // left || right
	NODE_NOT,        // ! left
	NODE_SEQUENCE,   // left ; right
	NODE_BACKGROUND, // left &
	NODE_SUBSHELL,   // ( left ) redirects
	NODE_GROUP,      // { left } redirects
	NODE_IF,         // if left then right else other
	NODE_WHILE,      // while left do right
	NODE_UNTIL,      // until left do right
	NODE_FOR,        // for name in words do right
	NODE_CASE,       // case words in items
	NODE_FUNCTION,   // name() left
};

struct case_item {
	struct case_item *next;
	struct word *patterns;
	struct node *body; // NULL: empty
};

struct node {
	enum node_kind kind;
	struct node *left, *right, *other;
	struct word *assignments, *words;
	struct redirect *redirects;
	char *name;
	bool all_params; // FOR without "in"
	struct case_item *items;
};

struct lexer {
	struct source *source;
	struct arena *arena;
	enum token token; // valid when HAVE
	char *text;       // of a word or number
	bool have;
	struct redirect *here; // documents whose text starts after the next newline
	void (*fail)(struct lexer *lexer, const char *what);
};

enum token lex_peek(struct lexer *lexer);
void lex_skip(struct lexer *lexer);

// Parses one complete command from SOURCE into *NODE (NULL: an empty line), everything in ARENA.
enum parse_result { PARSE_OK, PARSE_END, PARSE_ERROR };
enum parse_result parse_command(struct source *source, struct arena *arena, struct node **node);

// Behind "$(": passes the command and the parenthesis that closes it.
void parse_substitution(struct lexer *lexer);
// How long the command behind "$(" is, its closing parenthesis included; TEXT has been parsed once.
size_t substitution_length(const char *text);

// --- vars.c

const char *var_get(const char *name); // NULL: unset
void var_set(const char *name, const char *value);
void var_unset(const char *name);
void var_export(const char *name);
bool var_is_exported(const char *name);
bool is_name(const char *s, size_t n);
size_t name_length(const char *s); // of the name that S starts with
void vars_import(char **environment);
void vars_print(bool exported_only);
char **vars_environment(struct arena *arena);

// --- expand.c, pattern.c, arith.c

// All return false or NULL after a message when an expansion fails.
bool expand_words(const struct word *words, struct strings *out);
char *expand_string(const char *word);  // one string: no splitting, no file names
char *expand_pattern(const char *word); // quoted characters stand behind a backslash
char *expand_here(const char *text);

bool pattern_match(const char *pattern, const char *s);
void pattern_files(const char *pattern, struct strings *out); // adds the matching paths, sorted
bool arith_evaluate(const char *text, long long *value);

// --- exec.c

int exec_node(const struct node *node);
int exec_source(struct source *source);       // until its end; returns the last status
char *exec_substitution(const char *command); // its output, without newlines at the end
_Noreturn void shell_exit(int status);

// --- jobs.c

void jobs_init(bool interactive);
// What an interactive shell does about the signals of the keyboard, and what its children do.
void jobs_shell_signals(void);
void jobs_default_signals(void);

// Forks a member of the job GROUP (0: of a new one). Returns 0 in the child; -1 after a message.
pid_t job_fork(pid_t group, bool in_front);
// In a child: the shell's own state goes.
void job_become_child(pid_t group, bool in_front);
// Waits for a job in front, whose members they are, and returns its status. One that stops is kept.
int job_run(const struct node *node, const pid_t *pids, size_t n);
void job_add_background(const struct node *node, pid_t pid);
void jobs_report(void); // tells what has ended or stopped in the background
int wait_child(pid_t pid);
int wait_background(pid_t pid); // 0: for all
int run_jobs(int argc, char **argv);
int run_fg(int argc, char **argv);
int run_bg(int argc, char **argv);

// --- redirect.c

struct saved; // descriptors that were replaced, the last one first

// -1 after a message. The descriptors that are replaced are saved in *SAVED, if that is not NULL.
int redirect_all(const struct redirect *list, struct saved **saved);
void redirect_restore(struct saved *saved);
void redirect_forget(struct saved *saved); // exec without a command: they are for good

// --- builtin.c, test.c

struct builtin {
	const char *name;
	int (*run)(int argc, char **argv);
	bool special; // assignments before it stay
};

const struct builtin *builtin_find(const char *name);
int builtin_test(int argc, char **argv);

// --- the shell's state

enum unwind { UNWIND_NOT, UNWIND_BREAK, UNWIND_CONTINUE, UNWIND_RETURN, UNWIND_ABORT };

struct function {
	struct function *next;
	const char *name;
	const struct node *body;
};

extern struct shell {
	const char *name;           // $0
	char **params;              // $1 ...; ends with NULL
	int params_n;               // $#
	int status;                 // $?
	pid_t pid, group;           // $$, and the shell's process group
	pid_t background;           // $!
	bool interactive;           // commands are read from a terminal
	bool job_groups;            // each job gets a process group, the one in front the terminal
	bool exit_on_error;         // set -e
	bool trace;                 // set -x
	bool no_unset;              // set -u
	int conditions;             // depth of conditions, where set -e does not apply
	int loops;                  // depth of loops around the current command
	enum unwind unwind;         // what the commands around the current one should do
	int unwind_levels;          // loops still to be left
	bool keep_redirects;        // exec without a command
	bool exec_directly;         // this child has only one command left to run
	bool keep_tree;             // a function was defined
	struct function *functions; //
	struct arena scratch;       // expansions
	volatile int interrupted;   // Ctrl-C came
} shell;
