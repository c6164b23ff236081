// SPDX-License-Identifier: MIT
// The line editor: one line of the terminal, which scrolls sideways when the text is longer, the
// lines before it (history), and completion of file names.
//
//   left right, Ctrl-B Ctrl-F     move          Ctrl-K Ctrl-U   cut to the end, to the start
//   Home End, Ctrl-A Ctrl-E       to the ends   Ctrl-W          cut the word before the cursor
//   Backspace, Delete, Ctrl-D     delete        Ctrl-Y          put back what was cut
//   up down, Ctrl-P Ctrl-N        history       Ctrl-L          clear the screen
//   Tab                           complete      Ctrl-C          give the line up
//
// While a line is edited the terminal passes single bytes and echoes nothing; between lines, when
// commands run, it has its usual modes. Characters are UTF-8: the cursor passes over whole ones.
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "../lib/util.h"
#include "sh.h"

#define LINE_ROOM   4096
#define HISTORY_MAX 200
#define CONTROL(c)  ((c)&31)

enum key { KEY_UP = 256, KEY_DOWN, KEY_LEFT, KEY_RIGHT, KEY_HOME, KEY_END, KEY_DELETE, KEY_NONE };

struct edit {
	const char *prompt;
	char text[LINE_ROOM];
	size_t n, at;     // bytes, and the cursor among them
	size_t columns;   // of the terminal
	int recalled;     // lines back in the history; 0: the line itself
	char *unfinished; // the line itself while an older one is shown
	bool just_tabbed; // a second Tab lists
};

static char *history[HISTORY_MAX];
static int history_n;
static char cut[LINE_ROOM];

static void put(const char *s, size_t n)
{
	write_all(STDERR_FILENO, s, n);
}

static void put_string(const char *s)
{
	put(s, strlen(s));
}

// --- keys

static int read_byte(void)
{
	unsigned char c;
	ssize_t n;

	do {
		n = read(STDIN_FILENO, &c, 1);
	} while (n < 0 && errno == EINTR);
	return n == 1 ? c : -1;
}

// Behind ESC [ or ESC O.
static int read_sequence(void)
{
	static const struct {
		char letter;
		enum key key;
	} letters[] = {{'A', KEY_UP}, {'B', KEY_DOWN}, {'C', KEY_RIGHT}, {'D', KEY_LEFT},
		{'H', KEY_HOME}, {'F', KEY_END}};
	int number = 0, c = read_byte();

	while (c == ';' || (c >= '0' && c <= '9')) {
		number = c == ';' ? 0 : number * 10 + c - '0';
		c = read_byte();
	}
	for (size_t i = 0; i < sizeof letters / sizeof letters[0]; i++)
		if (c == letters[i].letter)
			return letters[i].key;
	if (c != '~')
		return KEY_NONE;
	switch (number) {
	case 1:
	case 7:
		return KEY_HOME;
	case 4:
	case 8:
		return KEY_END;
	case 3:
		return KEY_DELETE;
	default:
		return KEY_NONE;
	}
}

static int read_key(void)
{
	int c = read_byte();

	if (c != '\033')
		return c;
	c = read_byte();
	return c == '[' || c == 'O' ? read_sequence() : KEY_NONE;
}

// --- the text and how it is shown

static bool is_continuation(char c)
{
	return (c & 0xc0) == 0x80;
}

static size_t before(const struct edit *e, size_t at)
{
	while (at > 0 && is_continuation(e->text[--at]))
		;
	return at;
}

static size_t after(const struct edit *e, size_t at)
{
	if (at < e->n)
		at++;
	while (at < e->n && is_continuation(e->text[at]))
		at++;
	return at;
}

static size_t width(const char *s, size_t n)
{
	size_t cells = 0;

	for (size_t i = 0; i < n; i++)
		cells += !is_continuation(s[i]);
	return cells;
}

// Cells for the text and the cursor behind it.
static size_t text_room(const struct edit *e)
{
	size_t prompt = width(e->prompt, strlen(e->prompt));

	return e->columns > prompt + 8 ? e->columns - prompt - 1 : 8;
}

static void show(const struct edit *e)
{
	size_t prompt = width(e->prompt, strlen(e->prompt)), first = 0, last = e->n;
	size_t room = text_room(e);
	char move[32];

	while (width(e->text + first, e->at - first) >= room)
		first = after(e, first);
	while (width(e->text + first, last - first) > room)
		last = before(e, last);
	put_string("\r");
	put_string(e->prompt);
	put(e->text + first, last - first);
	put_string("\033[K");
	snprintf(move, sizeof move, "\r\033[%zuC", prompt + width(e->text + first, e->at - first));
	put_string(move);
}

static void insert(struct edit *e, const char *s, size_t n)
{
	if (n >= LINE_ROOM - e->n)
		return;
	memmove(e->text + e->at + n, e->text + e->at, e->n - e->at);
	memcpy(e->text + e->at, s, n);
	e->n += n;
	e->at += n;
}

static void delete_range(struct edit *e, size_t from, size_t to, bool keep)
{
	if (keep && to > from) {
		memcpy(cut, e->text + from, to - from);
		cut[to - from] = '\0';
	}
	memmove(e->text + from, e->text + to, e->n - to);
	e->n -= to - from;
	e->at = from;
}

static size_t word_start(const struct edit *e)
{
	size_t at = e->at;

	while (at > 0 && e->text[at - 1] == ' ')
		at--;
	while (at > 0 && e->text[at - 1] != ' ')
		at--;
	return at;
}

// --- history

static void history_add(const char *line)
{
	if (!*line || (history_n > 0 && !strcmp(history[history_n - 1], line)))
		return;
	if (history_n == HISTORY_MAX) {
		free(history[0]);
		memmove(history, history + 1, --history_n * sizeof *history);
	}
	history[history_n++] = need_string(line);
}

void edit_history(void)
{
	for (int i = 0; i < history_n; i++)
		printf("%4d  %s\n", i + 1, history[i]);
}

static void recall(struct edit *e, int step)
{
	int to = e->recalled + step;
	const char *text;

	if (to < 0 || to > history_n)
		return;
	e->text[e->n] = '\0';
	if (e->recalled == 0) {
		free(e->unfinished);
		e->unfinished = need_string(e->text);
	}
	e->recalled = to;
	text = to ? history[history_n - to] : e->unfinished;
	e->n = e->at = strlen(text);
	memcpy(e->text, text, e->n);
}

// --- completion

struct matches {
	struct strings names; // a folder's with its slash
	size_t common;        // bytes that all share
};

static void add_match(struct matches *m, const char *name, bool folder)
{
	struct text text = {.arena = m->names.arena};
	size_t i = 0;

	text_add_string(&text, name);
	if (folder)
		text_add(&text, '/');
	text_end(&text);
	for (size_t k = 0; k < m->names.n; k++)
		if (!strcmp(m->names.s[k], text.s))
			return;
	if (m->names.n == 0) {
		m->common = text.n;
	} else {
		while (i < m->common && text.s[i] == m->names.s[0][i])
			i++;
		m->common = i;
	}
	strings_add(&m->names, text.s);
}

static bool names_folder(const char *folder, const char *name)
{
	char *path = path_join(folder, name);
	struct stat st;
	bool is = stat(path, &st) == 0 && S_ISDIR(st.st_mode);

	free(path);
	return is;
}

static void match_folder(struct matches *m, const char *folder, const char *start, bool commands)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;

	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		const char *name = entry->d_name;

		if (strncmp(name, start, strlen(start)) || (name[0] == '.' && start[0] != '.'))
			continue;
		add_match(m, name, !commands && names_folder(folder, name));
	}
	closedir(dir);
}

static void match_commands(struct matches *m, const char *start)
{
	const char *path = var_get("PATH");

	while (path && *path) {
		size_t n = strcspn(path, ":");

		match_folder(m, arena_string(&shell.scratch, path, n), start, true);
		path += n + (path[n] == ':');
	}
}

static void list_matches(struct edit *e, struct matches *m)
{
	size_t cell = 0, across;

	for (size_t i = 0; i < m->names.n; i++) {
		size_t n = strlen(m->names.s[i]) + 2;

		cell = n > cell ? n : cell;
	}
	across = e->columns / cell ? e->columns / cell : 1;
	for (size_t i = 0; i < m->names.n; i++) {
		if (i % across == 0)
			put_string("\r\n");
		fprintf(stderr, "%-*s", (int)cell, m->names.s[i]);
	}
	fflush(stderr);
	put_string("\r\n");
}

static void complete(struct edit *e)
{
	struct arena_mark mark = arena_mark(&shell.scratch);
	struct matches m = {.names = {.arena = &shell.scratch}};
	size_t start = e->at, n;
	char *word, *slash;

	while (start > 0 && !strchr(" |&;<>()=", e->text[start - 1]))
		start--;
	word = arena_string(&shell.scratch, e->text + start, e->at - start);
	slash = strrchr(word, '/');
	n = strlen(slash ? slash + 1 : word);
	if (slash)
		match_folder(&m, arena_string(&shell.scratch, word, (size_t)(slash - word) + 1),
			slash + 1, false);
	else if (strspn(e->text, " ") >= start)
		match_commands(&m, word);
	else
		match_folder(&m, ".", word, false);
	if (m.names.n > 0 && m.common > n)
		insert(e, m.names.s[0] + n, m.common - n);
	else if (m.names.n > 1 && e->just_tabbed)
		list_matches(e, &m);
	if (m.names.n == 1 && m.names.s[0][m.common - 1] != '/')
		insert(e, " ", 1);
	e->just_tabbed = true;
	arena_cut(&shell.scratch, mark);
}

// --- one line

static void move_or_delete(struct edit *e, int key)
{
	switch (key) {
	case KEY_LEFT:
	case CONTROL('B'):
		e->at = before(e, e->at);
		break;
	case KEY_RIGHT:
	case CONTROL('F'):
		e->at = after(e, e->at);
		break;
	case KEY_HOME:
	case CONTROL('A'):
		e->at = 0;
		break;
	case KEY_END:
	case CONTROL('E'):
		e->at = e->n;
		break;
	case '\b':
	case 127:
		delete_range(e, before(e, e->at), e->at, false);
		break;
	case KEY_DELETE:
	case CONTROL('D'):
		delete_range(e, e->at, after(e, e->at), false);
		break;
	case CONTROL('K'):
		delete_range(e, e->at, e->n, true);
		break;
	case CONTROL('U'):
		delete_range(e, 0, e->at, true);
		break;
	case CONTROL('W'):
		delete_range(e, word_start(e), e->at, true);
		break;
	}
}

static bool is_character(int key)
{
	return key >= ' ' && key < 256 && key != 127;
}

static void handle(struct edit *e, int key)
{
	char c = (char)key;

	if (is_character(key)) {
		insert(e, &c, 1);
		return;
	}
	switch (key) {
	case '\t':
		complete(e);
		break;
	case KEY_UP:
	case CONTROL('P'):
		recall(e, 1);
		break;
	case KEY_DOWN:
	case CONTROL('N'):
		recall(e, -1);
		break;
	case CONTROL('L'):
		put_string("\033[H\033[J");
		break;
	case CONTROL('Y'):
		insert(e, cut, strlen(cut));
		break;
	default:
		move_or_delete(e, key);
	}
}

// A character typed at the end of a line that has room needs no more than itself on the screen.
static bool append(struct edit *e, int key)
{
	char c = (char)key;

	if (!is_character(key) || e->at != e->n || width(e->text, e->n) + 1 >= text_room(e))
		return false;
	insert(e, &c, 1);
	put(&c, 1);
	return true;
}

// Until the line is finished: returns true, or false at its end or that of the input.
static bool edit(struct edit *e, bool *interrupted)
{
	show(e);
	for (;;) {
		int key = read_key();

		if (key != '\t')
			e->just_tabbed = false;
		if (key < 0 || (key == CONTROL('D') && e->n == 0))
			return false;
		if (key == '\r' || key == '\n')
			return true;
		if (key == CONTROL('C')) {
			put_string("^C");
			e->n = 0;
			*interrupted = true;
			return true;
		}
		if (!append(e, key)) {
			handle(e, key);
			show(e);
		}
	}
}

static size_t terminal_columns(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 20)
		return 80;
	return size.ws_col;
}

ssize_t edit_line(const char *prompt, char **line, bool *interrupted)
{
	struct termios usual, raw;
	struct edit e = {.prompt = prompt, .columns = terminal_columns()};
	bool more;

	if (tcgetattr(STDIN_FILENO, &usual) != 0)
		return -1;
	raw = usual;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG);
	raw.c_iflag &= ~(tcflag_t)IXON;
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	if (tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) != 0)
		return -1;
	more = edit(&e, interrupted);
	tcsetattr(STDIN_FILENO, TCSADRAIN, &usual);
	free(e.unfinished);
	put_string("\r\n");
	if (!more)
		return 0;
	e.text[e.n] = '\0';
	history_add(e.text);
	e.text[e.n++] = '\n';
	*line = need_memory(e.n);
	memcpy(*line, e.text, e.n);
	return (ssize_t)e.n;
}
