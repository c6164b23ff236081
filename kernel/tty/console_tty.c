// SPDX-License-Identifier: MIT
/*
 * The console as a terminal: /dev/console, and /dev/tty for whoever's controlling terminal it is.
 *
 * Received bytes cross from the interrupt to the work thread through a ring; what does not fit is
 * lost, as on any line without flow control.
 */
#include "tty.h"

#include <abi/errno.h>
#include <fs/chrdev.h>
#include <kernel/console.h>
#include <kernel/panic.h>
#include <kernel/process.h>
#include <kernel/work.h>

#define RECEIVED_BYTES 1024 /* a power of two */

struct tty console_tty;
static tty_cell console_input[TTY_INPUT_CELLS];

static struct {
	struct spinlock lock; /* taken with interrupts off */
	uint32_t head, tail;
	char bytes[RECEIVED_BYTES];
	struct work work;
} received;

/* Interrupts are off. */
static void on_received(void *arg, const char *bytes, size_t n)
{
	uint64_t flags = spin_lock_irqsave(&received.lock);

	(void)arg;
	while (n-- && received.tail - received.head < RECEIVED_BYTES)
		received.bytes[received.tail++ % RECEIVED_BYTES] = *bytes++;
	spin_unlock_irqrestore(&received.lock, flags);
	work_queue(&received.work);
}

static void on_writable(void *arg)
{
	(void)arg;
	waitq_wake_all(&console_tty.writable);
}

static bool take_byte(uint8_t *byte)
{
	uint64_t flags = spin_lock_irqsave(&received.lock);
	bool any = received.head != received.tail;

	if (any)
		*byte = (uint8_t)received.bytes[received.head++ % RECEIVED_BYTES];
	spin_unlock_irqrestore(&received.lock, flags);
	return any;
}

static void deliver(struct work *work)
{
	uint8_t byte;

	(void)work;
	while (take_byte(&byte))
		tty_receive(&console_tty, byte);
}

static size_t send(struct tty *tty, const char *text, size_t n)
{
	(void)tty;
	return console_write(text, n);
}

/* --- The devices
 * ---------------------------------------------------------------------------------- */

static int open_console(struct chrdev *device, struct file *file)
{
	(void)device;
	file->private_data = &console_tty;
	return 0;
}

static int open_controlling(struct chrdev *device, struct file *file)
{
	(void)device;
	spin_lock(&tree_lock);
	struct tty *tty = process_current()->session->tty;
	spin_unlock(&tree_lock);
	if (!tty)
		return -ENXIO;
	file->private_data = tty;
	return 0;
}

static struct chrdev console_device = {
	.name = "console",
	.dev = FS_DEV(5, 1),
	.mode = 0600,
	.state = FILE_STREAM,
	.ops = &tty_ops,
	.open = open_console,
};

static struct chrdev controlling_device = {
	.name = "tty",
	.dev = FS_DEV(5, 0),
	.mode = 0666,
	.state = FILE_STREAM,
	.ops = &tty_ops,
	.open = open_controlling,
};

void tty_init(void)
{
	spin_init(&received.lock, "console received", RANK_WAIT);
	received.work.fn = deliver;
	tty_setup(&console_tty, console_input, send);
	if (chrdev_register(&console_device) || chrdev_register(&controlling_device))
		panic("the console's device names are taken");
	console_set_callbacks(on_received, on_writable, NULL);
}
