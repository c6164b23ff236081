// SPDX-License-Identifier: MIT
/*
 * The console as a terminal: /dev/console, and /dev/tty for whoever's controlling terminal it is.
 *
 * Received bytes cross from the interrupt to the work thread through a ring; what does not fit is
 * lost, as on any line without flow control.  When the line has room again, the work thread sends
 * what the terminal still holds: no writer may be left to do it.
 */
#include "tty.h"

#include <fs/chrdev.h>
#include <kernel/boot.h>
#include <kernel/console.h>
#include <kernel/panic.h>
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

static void send_held(struct work *work)
{
	(void)work;
	spin_lock(&console_tty.lock);
	(void)tty_push(&console_tty);
	spin_unlock(&console_tty.lock);
	waitq_wake_all(&console_tty.writable);
}

static struct work sending = {.fn = send_held};

/* Interrupts are off. */
static void on_writable(void *arg)
{
	(void)arg;
	work_queue(&sending);
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

static size_t room(struct tty *tty)
{
	(void)tty;
	return console_room();
}

static size_t unsent(struct tty *tty)
{
	(void)tty;
	return console_unsent();
}

static void flush(struct tty *tty)
{
	(void)tty;
	console_flush();
}

static const struct tty_line console_line = {
	.send = send,
	.room = room,
	.unsent = unsent,
	.flush = flush,
};

/* --- The devices ------------------------------------------------------------------------------ */

static int open_console(struct chrdev *device, struct file *file)
{
	(void)device;
	return tty_open(&console_tty, file);
}

static int open_controlling(struct chrdev *device, struct file *file)
{
	(void)device;
	return tty_open_controlling(file);
}

static struct chrdev console_device = {
	.name = "console",
	.dev = FS_DEV(5, 1),
	.mode = 0600,
	.state = FILE_STREAM,
	.open = open_console,
};

static struct chrdev controlling_device = {
	.name = "tty",
	.dev = FS_DEV(5, 0),
	.mode = 0666,
	.state = FILE_STREAM,
	.open = open_controlling,
};

void tty_init(void)
{
	spin_init(&received.lock, "console received", RANK_WAIT);
	received.work.fn = deliver;
	tty_setup(&console_tty, &console_line, console_device.dev, B115200, console_input);
	console_tty.size = (struct winsize){.ws_row = 24, .ws_col = 80};
	console_tty.termios.c_cflag |= HUPCL;
	if (boot_has("marker")) /* tools/run: a pipe types, and an echo would be in the output */
		console_tty.termios.c_lflag &= ~(uint32_t)ECHO;
	if (chrdev_register(&console_device) || chrdev_register(&controlling_device))
		panic("the console's device names are taken");
	console_set_callbacks(on_received, on_writable, NULL);
}
