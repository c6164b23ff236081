// SPDX-License-Identifier: MIT
/*
 * /dev/faulty: memory that fails when it is told to, for tests in user mode of what becomes of an
 * error behind a mapping (mm/faulty.h).
 *
 * Each open has an object of its own, of zeros at first.  A line that is written to it is a rule
 * for all objects, and an open clears the rules:
 *
 *	CALL WHEN NTH FIRST LAST ERROR LATER	CALL: fill make_writable settle write
 *						WHEN: never once every from
 *	answer					the calls that LATER (0 or 1) made wait
 */
#ifndef MAPACHE_CORE
#include <abi/errno.h>
#include <fs/chrdev.h>
#include <mm/faulty.h>
#include <string.h>

#include "selftest.h"

#define SIZE_BYTES (64UL << MVM_PAGE_SHIFT)
#define LINE_BYTES 80

static struct mvm_faulty faulty;

static void clear_rules(void)
{
	static const struct mvm_faulty_rule never = {.when = MVM_FAULTY_NEVER};

	for (unsigned call = 0; call < MVM_FAULTY_CALLS; call++)
		mvm_faulty_set(&faulty, (enum mvm_faulty_call)call, &never);
}

/* --- A rule in words -------------------------------------------------------------------------- */

/* The next word of the line, terminated; "" at its end. */
static char *next_word(char **line)
{
	char *word = *line, *end;

	while (*word == ' ')
		word++;
	for (end = word; *end && *end != ' ' && *end != '\n'; end++)
		;
	*line = *end ? end + 1 : end;
	*end = '\0';
	return word;
}

static uint64_t next_number(char **line)
{
	uint64_t n = 0;

	for (const char *digit = next_word(line); *digit >= '0' && *digit <= '9'; digit++)
		n = n * 10 + (uint64_t)(*digit - '0');
	return n;
}

/* Which of the names the next word is, or n. */
static unsigned next_name(char **line, const char *const *names, unsigned n)
{
	const char *word = next_word(line);
	unsigned i = 0;

	while (i < n && strcmp(word, names[i]))
		i++;
	return i;
}

static int set_rule(char *line)
{
	static const char *const calls[] = {"fill", "make_writable", "settle", "write"};
	static const char *const whens[] = {"never", "once", "every", "from"};
	struct mvm_faulty_rule rule;
	unsigned call = next_name(&line, calls, 4), when = next_name(&line, whens, 4);

	if (call == 4 || when == 4)
		return -EINVAL;
	rule.when = (enum mvm_faulty_when)when;
	rule.nth = next_number(&line);
	rule.first = next_number(&line);
	rule.last = next_number(&line);
	rule.error = -(int)next_number(&line);
	rule.later = next_number(&line);
	mvm_faulty_set(&faulty, (enum mvm_faulty_call)call, &rule);
	return 0;
}

/* --- The device ------------------------------------------------------------------------------- */

static int faulty_write(
	struct file *file, struct mvm_copy *c, size_t n, uint64_t *offset, size_t *done)
{
	char line[LINE_BYTES] = "";
	int err;

	(void)file, (void)offset;
	*done = 0;
	if (n >= sizeof line)
		return -EINVAL;
	err = file_copy(c, line, n, done);
	if (err)
		return err;
	if (strcmp(line, "answer") == 0)
		(void)mvm_faulty_answer(&faulty);
	else
		err = set_rule(line);
	if (err)
		*done = 0;
	return err;
}

static int faulty_map(struct file *file, bool shared, struct mvm_object **out)
{
	(void)shared;
	mvm_object_ref(file->private_data);
	*out = file->private_data;
	return 0;
}

static void faulty_release(struct file *file)
{
	mvm_object_unref(file->private_data);
}

static int faulty_open(struct chrdev *device, struct file *file)
{
	struct mvm_object *object;
	int err = mvm_object_new(&faulty.ops, NULL, SIZE_BYTES, &object);

	(void)device;
	if (err)
		return err;
	clear_rules();
	file->private_data = object;
	return 0;
}

void faulty_device_init(void)
{
	static const struct file_ops ops = {
		.write = faulty_write, .map = faulty_map, .release = faulty_release};
	static struct chrdev device = {.name = "faulty",
		.dev = FS_DEV(240, 0),
		.mode = 0666,
		.ops = &ops,
		.open = faulty_open};

	mvm_faulty_init(&faulty, NULL);
	(void)chrdev_register(&device);
}
#else
#include "selftest.h"

void faulty_device_init(void)
{
}
#endif
