// SPDX-License-Identifier: MIT
/*
 * Streams against a model: a byte array, a position. Random reads, writes, lines, seeks,
 * pushed-back bytes, flushes, on each kind of buffering; at the end the file must equal the array.
 * Then the corners that random use does not meet: modes, append, line buffering, errors.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tap.h"

#define FILE_MAX 40000
#define ROUNDS   4000

static char path[] = "/tmp/libc_stdioXXXXXX";
static unsigned char model[FILE_MAX], scratch[FILE_MAX + 1];
static size_t model_size, model_pos;

static size_t small_or_large(void)
{
	return random_below(random_below(8) ? 60 : 9000);
}

static bool do_write(FILE *f)
{
	size_t n = small_or_large();

	if (model_pos + n > FILE_MAX)
		n = FILE_MAX - model_pos;
	for (size_t i = 0; i < n; i++)
		scratch[i] = random_below(20) ? (unsigned char)random_bits() : '\n';
	if (n == 1 ? fputc(scratch[0], f) != scratch[0] : fwrite(scratch, 1, n, f) != n)
		return false;
	if (model_pos > model_size)
		memset(model + model_size, 0, model_pos - model_size);
	memcpy(model + model_pos, scratch, n);
	model_pos += n;
	model_size = model_pos > model_size ? model_pos : model_size;
	return true;
}

static size_t available(void)
{
	return model_pos < model_size ? model_size - model_pos : 0;
}

static bool do_read(FILE *f)
{
	size_t n = small_or_large(), wanted = n < available() ? n : available();

	if (n == 1) {
		int c = fgetc(f);

		if (c != (wanted ? model[model_pos] : EOF))
			return false;
	} else if (fread(scratch, 1, n, f) != wanted ||
		   memcmp(scratch, model + model_pos, wanted) != 0) {
		return false;
	}
	model_pos += wanted;
	return !feof(f) == (wanted == n);
}

static bool do_line(FILE *f)
{
	static char *line;
	static size_t size;
	const unsigned char *start = model + model_pos, *end = memchr(start, '\n', available());
	size_t wanted = end ? (size_t)(end + 1 - start) : available();
	ssize_t n = getline(&line, &size, f);

	if (n != (wanted ? (ssize_t)wanted : -1) || (wanted && memcmp(line, start, wanted) != 0))
		return false;
	model_pos += wanted;
	return n < 0 || line[n] == 0;
}

static bool do_seek(FILE *f)
{
	size_t past = model_size + 20 < FILE_MAX ? model_size + 20 : FILE_MAX,
	       to = random_below(past);
	int whence = (int)random_below(3);
	long base = whence == SEEK_SET   ? 0
		    : whence == SEEK_CUR ? (long)model_pos
					 : (long)model_size;

	if (fseek(f, (long)to - base, whence) != 0)
		return false;
	model_pos = to;
	return !feof(f);
}

static bool do_unget(FILE *f)
{
	int c = fgetc(f);

	if (c == EOF)
		return available() == 0;
	return ungetc(c, f) == c && ftell(f) == (long)model_pos && fgetc(f) == c &&
	       ungetc(c, f) == c;
}

static bool do_one(FILE *f)
{
	switch (random_below(8)) {
	case 0:
	case 1:
		return (fseek(f, 0, SEEK_CUR) == 0) && do_write(f);
	case 2:
	case 3:
		return (fseek(f, 0, SEEK_CUR) == 0) && do_read(f);
	case 4:
		return (fseek(f, 0, SEEK_CUR) == 0) && do_line(f);
	case 5:
		return do_seek(f);
	case 6:
		return (fseek(f, 0, SEEK_CUR) == 0) && do_unget(f);
	default:
		return fflush(f) == 0 && ftell(f) == (long)model_pos;
	}
}

static bool file_equals_model(void)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, scratch, sizeof(scratch));

	close(fd);
	return n == (ssize_t)model_size && memcmp(scratch, model, model_size) == 0;
}

static bool against_model(int how, size_t buffer)
{
	FILE *f = fopen(path, "w+");

	if (!f || setvbuf(f, NULL, how, buffer) != 0)
		return false;
	model_size = model_pos = 0;
	memset(model, 0, sizeof(model));
	for (int round = 0; round < ROUNDS; round++) {
		clearerr(f);
		if (!do_one(f) || ftell(f) != (long)model_pos) {
			printf("# round %d, position %zu, size %zu\n", round, model_pos,
				model_size);
			return false;
		}
	}
	return fclose(f) == 0 && file_equals_model();
}

static bool modes(void)
{
	char text[16] = {0};
	FILE *f;

	unlink(path);
	if (fopen(path, "r") || errno != ENOENT || fopen(path, "q") || errno != EINVAL)
		return false;
	f = fopen(path, "wx");
	if (!f || fgetc(f) != EOF || !ferror(f) || fputs("one", f) < 0 || fclose(f) != 0)
		return false;
	if (fopen(path, "wx") || errno != EEXIST)
		return false;
	f = fopen(path, "a+");
	if (!f || fputs("two", f) < 0 || ftell(f) != 6 || fseek(f, 1, SEEK_SET) != 0 ||
		fgetc(f) != 'n' || fseek(f, 0, SEEK_SET) != 0 || fputs("3", f) < 0 ||
		fclose(f) != 0)
		return false;
	f = fopen(path, "r");
	if (!f || !fgets(text, sizeof(text), f) || strcmp(text, "onetwo3") != 0)
		return false;
	return fgetc(f) == EOF && feof(f) && !ferror(f) && fputc('x', f) == EOF && ferror(f) &&
	       fclose(f) == 0;
}

static off_t size_now(void)
{
	struct stat st;

	return stat(path, &st) == 0 ? st.st_size : -1;
}

static bool when_written(void)
{
	FILE *f = fopen(path, "w");

	setvbuf(f, NULL, _IOLBF, 100);
	fputs("abc", f);
	if (size_now() != 0 || fputs("d\ne", f) < 0 || size_now() != 6)
		return false;
	fclose(f);
	f = fopen(path, "w");
	fputs("\n\n", f);
	if (size_now() != 0 || fflush(NULL) != 0 || size_now() != 2)
		return false;
	fclose(f);
	f = fopen(path, "w");
	setvbuf(f, NULL, _IONBF, 0);
	return fprintf(f, "%d-%s", 12, "x") == 4 && size_now() == 4 && fclose(f) == 0;
}

static bool write_errors(void)
{
	FILE *f = fopen("/dev/full", "w");

	if (!f)
		return true; /* there is none */
	return fputs("x", f) >= 0 && fflush(f) == EOF && errno == ENOSPC && ferror(f) &&
	       fclose(f) == 0;
}

static bool push_back(void)
{
	FILE *f = fopen(path, "w+");

	fputs("z", f);
	rewind(f);
	for (int i = 0; i < 8; i++) {
		if (ungetc('a' + i, f) != 'a' + i)
			return false;
	}
	for (int i = 7; i >= 0; i--) {
		if (fgetc(f) != 'a' + i)
			return false;
	}
	return fgetc(f) == 'z' && fgetc(f) == EOF && ungetc(EOF, f) == EOF && fclose(f) == 0;
}

static bool lines(void)
{
	char text[6];
	FILE *f = fopen(path, "w+");

	fputs("123456789\n\nlast", f);
	rewind(f);
	return fgets(text, sizeof(text), f) && strcmp(text, "12345") == 0 &&
	       fgets(text, sizeof(text), f) && strcmp(text, "6789\n") == 0 &&
	       fgets(text, sizeof(text), f) && strcmp(text, "\n") == 0 &&
	       fgets(text, sizeof(text), f) && strcmp(text, "last") == 0 &&
	       !fgets(text, sizeof(text), f) && feof(f) && fclose(f) == 0;
}

/* What was read ahead but not used is given back when the stream is flushed or closed. */
static bool gives_back(void)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600), copy;
	FILE *f;

	if (write(fd, "abcdef", 6) != 6 || lseek(fd, 0, SEEK_SET) != 0)
		return false;
	copy = dup(fd);
	f = fdopen(fd, "r");
	if (fgetc(f) != 'a' || lseek(copy, 0, SEEK_CUR) != 6)
		return false;
	if (fflush(f) != 0 || lseek(copy, 0, SEEK_CUR) != 1)
		return false;
	return fgetc(f) == 'b' && fclose(f) == 0 && lseek(copy, 0, SEEK_CUR) == 2 &&
	       close(copy) == 0;
}

static bool prints(const char *wanted, const char *format, ...)
{
	char text[64];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return strcmp(text, wanted) == 0;
}

/* What the comparison with the host leaves out. */
static bool formats(void)
{
	int n = 0;

	return prints("1.00000e+06", "%#g", 999999.5) && prints("1.00", "%#.3g", 1.0) &&
	       prints("100.", "%#.3g", 100.0) && prints("ab", "ab%n", &n) && n == 2 &&
	       prints("No such file or directory", "%m", errno = ENOENT) &&
	       snprintf(NULL, 0, "%d", 12345) == 5;
}

int main(int argc, char **argv)
{
	int fd;

	random_seed(argc, argv);
	fd = mkstemp(path);
	ok(fd >= 0, "mkstemp %s", path);
	close(fd);
	ok(against_model(_IOFBF, 0), "model, full buffering");
	ok(against_model(_IOFBF, 37), "model, a buffer of 37 bytes");
	ok(against_model(_IOLBF, 500), "model, line buffering");
	ok(against_model(_IONBF, 0), "model, no buffering");
	ok(modes(), "modes");
	ok(when_written(), "when buffered bytes are written");
	ok(write_errors(), "write errors are reported");
	ok(push_back(), "eight bytes can be pushed back");
	ok(lines(), "fgets");
	ok(gives_back(), "unread bytes are given back");
	ok(formats(), "formats");
	unlink(path);
	return tap_end();
}
