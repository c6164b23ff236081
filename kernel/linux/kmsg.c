// SPDX-License-Identifier: MIT
/*
 * /dev/kmsg: what is written there is a line of the kernel's log, on its line to the outside, and
 * in order with what the kernel itself says.
 */
#include <abi/errno.h>
#include <fs/chrdev.h>
#include <kernel/panic.h>
#include <kernel/printk.h>
#include <string.h>

#define LINE_BYTES 224 /* with what the log puts before it, a line of the log */

/*
 * "<N>" may come before a line, N being syslog's facility and priority; the log
 * has fewer levels.
 */
static const char *take_level(const char *line, enum log_level *level)
{
	static const enum log_level of_priority[8] = {LOG_ERROR, LOG_ERROR, LOG_ERROR, LOG_ERROR,
		LOG_WARNING, LOG_INFO, LOG_INFO, LOG_DEBUG};
	const char *at = line + 1;
	unsigned n = 0;

	*level = LOG_WARNING;
	if (*line != '<')
		return line;
	while (*at >= '0' && *at <= '9')
		n = n * 10 + (unsigned)(*at++ - '0');
	if (*at != '>' || at == line + 1)
		return line;
	*level = of_priority[n % 8];
	return at + 1;
}

static int kmsg_write(
	struct file *file, struct mvm_copy *c, size_t n, uint64_t *offset, size_t *done)
{
	char line[LINE_BYTES + 1] = "";
	enum log_level level;
	const char *text;
	int err;

	(void)file;
	(void)offset;
	*done = 0;
	if (n > LINE_BYTES)
		return -EINVAL;
	err = file_copy(c, line, n, done);
	if (err)
		return err;
	if (n > 0 && line[n - 1] == '\n')
		line[n - 1] = 0;
	text = take_level(line, &level);
	printk(level, "%s", text);
	return 0;
}

void kmsg_init(void)
{
	static const struct file_ops ops = {.write = kmsg_write};
	static struct chrdev device = {.name = "kmsg",
		.dev = FS_DEV(1, 11),
		.mode = 0600,
		.state = FILE_STREAM,
		.ops = &ops};

	if (chrdev_register(&device))
		panic("the name of the log's device is taken");
}
