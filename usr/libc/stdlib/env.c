// SPDX-License-Identifier: MIT
/*
 * The environment. The kernel's array is replaced by one from malloc at the first change; strings
 * that setenv made are not freed, since a program may hold what getenv returned.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char **owned; /* environ, when it is from malloc */

/* The place of NAME=..., or of the NULL at the end. */
static char **find(const char *name, size_t n)
{
	static char *empty;
	char **e;

	if (!environ)
		environ = &empty;
	for (e = environ; *e; e++) {
		if (strncmp(*e, name, n) == 0 && (*e)[n] == '=')
			break;
	}
	return e;
}

char *getenv(const char *name)
{
	size_t n = strlen(name);
	char **e = find(name, n);

	return *e ? *e + n + 1 : NULL;
}

/* Room for one more entry at index `count`. */
static int grow(size_t count)
{
	char **bigger = realloc(owned == environ ? owned : NULL, (count + 2) * sizeof(char *));

	if (!bigger)
		return -1;
	if (owned != environ || !owned)
		memcpy(bigger, environ, count * sizeof(char *));
	owned = environ = bigger;
	bigger[count + 1] = NULL;
	return 0;
}

static int put(char *assignment, size_t name_len)
{
	char **e = find(assignment, name_len);

	if (!*e) {
		size_t count = (size_t)(e - environ);

		if (grow(count) != 0)
			return -1;
		e = environ + count;
	}
	*e = assignment;
	return 0;
}

static int bad_name(const char *name)
{
	if (name && *name && !strchr(name, '='))
		return 0;
	errno = EINVAL;
	return -1;
}

int setenv(const char *name, const char *value, int overwrite)
{
	size_t n;
	char *assignment;

	if (bad_name(name) != 0)
		return -1;
	n = strlen(name);
	if (!overwrite && *find(name, n))
		return 0;
	assignment = malloc(n + strlen(value) + 2);
	if (!assignment)
		return -1;
	memcpy(assignment, name, n);
	assignment[n] = '=';
	strcpy(assignment + n + 1, value);
	if (put(assignment, n) == 0)
		return 0;
	free(assignment);
	return -1;
}

int putenv(char *assignment)
{
	char *equals = strchr(assignment, '=');

	if (!equals)
		return unsetenv(assignment);
	return put(assignment, (size_t)(equals - assignment));
}

int unsetenv(const char *name)
{
	char **e;

	if (bad_name(name) != 0)
		return -1;
	while (*(e = find(name, strlen(name)))) {
		for (; *e; e++)
			e[0] = e[1];
	}
	return 0;
}

int clearenv(void)
{
	environ = NULL;
	return 0;
}
