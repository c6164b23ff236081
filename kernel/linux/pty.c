// SPDX-License-Identifier: MIT
/*
 * Pseudo-terminals: a terminal whose line is another file.
 *
 *	 emulator                                       programs
 *	 read   <---- output ring <---- OPOST, echo <---- write
 *	 write  ----> the discipline --> input ring  ----> read
 *	  master                    slave (struct tty)
 *
 * The master has no discipline: it reads what the slave sends, and what it writes is typed.  Both
 * rings have a fixed size, and whoever fills one waits: the slave's writers for the master, the
 * master's writers for the slave's readers (a line that nobody could read yet is cut instead; see
 * tty_accepts_input()).
 *
 * Opening /dev/ptmx makes a pair and a node /dev/pts/N, which opens the slave once the master has
 * unlocked it.  The slave may be closed and opened again; while it is closed, the master's reads
 * fail with EIO.  Closing the master is the end: the terminal hangs up, and its number is free.
 *
 * Packet mode (TIOCPKT) is not offered: -EINVAL.
 */
#include "pty.h"

#include <abi/errno.h>
#include <fs/chrdev.h>
#include <fs/poll.h>
#include <kernel/files.h>
#include <kernel/kmem.h>
#include <kernel/panic.h>
#include <kernel/process.h>
#include <kernel/uaccess.h>

#define CHUNK_BYTES 256

/* --- Life ------------------------------------------------------------------------------------- */

static void pty_free(struct pty *pty)
{
	kfree(pty->output);
	kfree(pty->tty.input);
	kfree(pty);
}

void pty_unref(struct pty *pty)
{
	if (!__atomic_sub_fetch(&pty->refs, 1, __ATOMIC_ACQ_REL))
		pty_free(pty);
}

/* --- The slave's line ------------------------------------------------------------------------- */

static size_t output_used(const struct pty *pty)
{
	return pty->in - pty->out;
}

static size_t slave_room(struct tty *tty)
{
	return PTY_OUTPUT_BYTES - output_used(pty_of_tty(tty));
}

/* Put in what fits; the ring may wrap once. */
static size_t slave_send(struct tty *tty, const char *text, size_t n)
{
	struct pty *pty = pty_of_tty(tty);
	size_t room = slave_room(tty), at = pty->in % PTY_OUTPUT_BYTES, first;

	n = n < room ? n : room;
	first = n < PTY_OUTPUT_BYTES - at ? n : PTY_OUTPUT_BYTES - at;
	__builtin_memcpy(pty->output + at, text, first);
	__builtin_memcpy(pty->output, text + first, n - first);
	pty->in += (uint32_t)n;
	if (n)
		waitq_wake_all(&pty->master_wait);
	return n;
}

/* What the master has not read has left, as far as the slave can know. */
static size_t slave_unsent(struct tty *tty)
{
	(void)tty;
	return 0;
}

static void slave_flush(struct tty *tty)
{
	struct pty *pty = pty_of_tty(tty);

	pty->out = pty->in;
}

static void slave_taken(struct tty *tty)
{
	waitq_wake_all(&pty_of_tty(tty)->master_wait);
}

static void slave_opened(struct tty *tty)
{
	struct pty *pty = pty_of_tty(tty);

	__atomic_fetch_add(&pty->refs, 1, __ATOMIC_RELAXED);
	spin_lock(&tty->lock);
	pty->slave_closed = false;
	spin_unlock(&tty->lock);
}

static void slave_was_closed(struct tty *tty, bool last)
{
	struct pty *pty = pty_of_tty(tty);

	if (last) {
		spin_lock(&tree_lock); /* nobody opens it meanwhile */
		spin_lock(&tty->lock);
		pty->slave_closed = !tty->opens;
		spin_unlock(&tty->lock);
		spin_unlock(&tree_lock);
		waitq_wake_all(&pty->master_wait);
	}
	pty_unref(pty);
}

static const struct tty_line slave_line = {
	.send = slave_send,
	.room = slave_room,
	.unsent = slave_unsent,
	.flush = slave_flush,
	.taken = slave_taken,
	.opened = slave_opened,
	.closed = slave_was_closed,
};

int pty_open_slave(struct pty *pty, struct file *file)
{
	spin_lock(&pty->tty.lock);
	bool locked = pty->locked;
	spin_unlock(&pty->tty.lock);
	int err = locked ? -EIO : tty_open(&pty->tty, file);
	if (!err && (file->state & FILE_READABLE) && !(file->flags & FS_O_NOCTTY))
		tty_offer(&pty->tty);
	return err;
}

/* --- The master: reading ---------------------------------------------------------------------- */

static struct pty *pty_of(const struct file *file)
{
	return file->private_data;
}

/* True: there is something to read, or never will be (*err). */
static bool master_readable(struct pty *pty, int *err)
{
	spin_lock(&pty->tty.lock);
	bool ready = output_used(pty);
	*err = !ready && pty->slave_closed ? -EIO : 0;
	spin_unlock(&pty->tty.lock);
	return ready || *err;
}

static int wait_readable(const struct file *file)
{
	struct pty *pty = pty_of(file);
	int why = 0, err;

	if (file_is_nonblocking(file))
		err = master_readable(pty, &why) ? 0 : -EAGAIN;
	else
		err = wait_event_interruptible(&pty->master_wait, master_readable(pty, &why));
	return err ? err : why;
}

/* With faults off, up to the end of the ring; *wanted is how much it tried. */
static size_t copy_some(struct pty *pty, struct mvm_copy *c, size_t done, size_t n, size_t *wanted)
{
	size_t at = pty->out % PTY_OUTPUT_BYTES, used = output_used(pty), got;

	*wanted = n < used ? n : used;
	if (*wanted > PTY_OUTPUT_BYTES - at)
		*wanted = PTY_OUTPUT_BYTES - at;
	got = c->copy(c, pty->output + at, done, *wanted);
	pty->out += (uint32_t)got;
	return got;
}

static int take_out(struct pty *pty, struct mvm_copy *c, size_t n, size_t *done)
{
	size_t wanted, got;
	int err = 0;

	spin_lock(&pty->tty.lock);
	while (!err && *done < n && output_used(pty)) {
		got = copy_some(pty, c, *done, n - *done, &wanted);
		*done += got;
		if (got == wanted)
			continue;
		spin_unlock(&pty->tty.lock);
		err = c->prefault ? c->prefault(c, *done, wanted - got) : -EFAULT;
		spin_lock(&pty->tty.lock);
	}
	(void)tty_push(&pty->tty);
	spin_unlock(&pty->tty.lock);
	return err;
}

static int master_read(
	struct file *file, struct mvm_copy *c, size_t n, uint64_t *offset, size_t *done)
{
	struct pty *pty = pty_of(file);
	int err = 0;

	(void)offset;
	*done = 0;
	while (n && !err && !*done) {
		err = wait_readable(file);
		if (!err)
			err = take_out(pty, c, n, done);
	}
	if (*done)
		waitq_wake_all(&pty->tty.writable);
	return err;
}

/* --- The master: writing ---------------------------------------------------------------------- */

static bool try_type(struct pty *pty, uint8_t byte)
{
	spin_lock(&pty->tty.lock);
	bool takes = tty_accepts_input(&pty->tty);
	spin_unlock(&pty->tty.lock);
	if (takes)
		tty_receive(&pty->tty, byte);
	return takes;
}

static int type_all(const struct file *file, const char *text, size_t n, size_t *typed)
{
	struct pty *pty = pty_of(file);
	int err = 0;

	for (*typed = 0; !err && *typed < n; *typed += !err) {
		uint8_t byte = (uint8_t)text[*typed];
		if (try_type(pty, byte))
			continue;
		err = file_is_nonblocking(file)
			      ? -EAGAIN
			      : wait_event_interruptible(&pty->master_wait, try_type(pty, byte));
	}
	return err;
}

static int master_write(
	struct file *file, struct mvm_copy *c, size_t n, uint64_t *offset, size_t *done)
{
	char chunk[CHUNK_BYTES];
	size_t got, typed;
	int err = 0;

	(void)offset;
	*done = 0;
	while (!err && *done < n) {
		size_t want = n - *done < sizeof chunk ? n - *done : sizeof chunk;
		err = tty_fetch(c, chunk, *done, want, &got);
		if (err)
			break;
		err = type_all(file, chunk, got, &typed);
		*done += typed;
	}
	return err;
}

/* --- The master: the rest --------------------------------------------------------------------- */

static unsigned master_poll(struct file *file, struct poll_table *table)
{
	struct pty *pty = pty_of(file);
	unsigned events = 0;

	poll_wait(table, &pty->master_wait);
	spin_lock(&pty->tty.lock);
	events |= output_used(pty) ? FS_POLLIN : 0;
	events |= tty_accepts_input(&pty->tty) ? FS_POLLOUT : 0;
	events |= pty->slave_closed ? FS_POLLHUP : 0;
	spin_unlock(&pty->tty.lock);
	return events;
}

static int set_lock(struct pty *pty, uintptr_t arg)
{
	int locked, err = get_user(&locked, uaddr(arg));

	if (err)
		return err;
	spin_lock(&pty->tty.lock);
	pty->locked = locked;
	spin_unlock(&pty->tty.lock);
	return 0;
}

static int get_lock(struct pty *pty, uintptr_t arg)
{
	int locked = __atomic_load_n(&pty->locked, __ATOMIC_RELAXED);

	return put_user(uaddr(arg), &locked);
}

/* What the slave sent and nobody read. */
static int count_output(struct pty *pty, uintptr_t arg)
{
	spin_lock(&pty->tty.lock);
	int n = (int)output_used(pty);
	spin_unlock(&pty->tty.lock);
	return put_user(uaddr(arg), &n);
}

/* The master's input is the slave's output. */
static int flush(struct pty *pty, uintptr_t what)
{
	if (what > TCIOFLUSH)
		return -EINVAL;
	spin_lock(&pty->tty.lock);
	if (what != TCOFLUSH)
		tty_flush_output(&pty->tty);
	if (what != TCIFLUSH)
		tty_flush_input(&pty->tty);
	spin_unlock(&pty->tty.lock);
	waitq_wake_all(&pty->tty.writable);
	return 0;
}

static int no_packets(uintptr_t arg)
{
	int on, err = get_user(&on, uaddr(arg));

	return err ? err : on ? -EINVAL : 0;
}

/* A descriptor of the slave, whatever name it has where the caller stands. */
static int open_peer(struct pty *pty, unsigned flags)
{
	struct fs_cred cred = process_fs_cred(process_current());
	struct dentry *root = devpts_root();
	struct fs_context ctx = {.root = root, .cwd = root, .cred = &cred};
	struct file *file;
	char name[PTY_NAME_BYTES];
	long fd;
	int err;

	if (!root)
		return -ENODEV;
	devpts_name(pty, name);
	err = vfs_open(&ctx, NULL, name, flags & ~(unsigned)FS_O_CREAT, 0, &file);
	dentry_unref(root);
	if (err)
		return err;
	fd = fd_install(file, 0, flags & FS_O_CLOEXEC);
	if (fd < 0)
		file_unref(file);
	return (int)fd;
}

static int master_ioctl(struct file *file, unsigned command, uintptr_t arg)
{
	struct pty *pty = pty_of(file);
	int nr = (int)pty->nr;

	switch (command) {
	case TIOCGPTN:
		return put_user(uaddr(arg), &nr);
	case TIOCSPTLCK:
		return set_lock(pty, arg);
	case TIOCGPTLCK:
		return get_lock(pty, arg);
	case TIOCGPTPEER:
		return open_peer(pty, (unsigned)arg);
	case TIOCPKT:
		return no_packets(arg);
	case FIONREAD:
		return count_output(pty, arg);
	case TIOCOUTQ:
		nr = 0; /* what the master writes is there at once */
		return put_user(uaddr(arg), &nr);
	case TCFLSH:
		return flush(pty, arg);
	default:
		return tty_common_ioctl(&pty->tty, true, command, arg);
	}
}

static void master_release(struct file *file)
{
	struct pty *pty = pty_of(file);

	devpts_remove(pty);
	tty_hang_up(&pty->tty);
	pty_unref(pty);
}

static const struct file_ops master_ops = {
	.read = master_read,
	.write = master_write,
	.ioctl = master_ioctl,
	.poll = master_poll,
	.release = master_release,
};

/* --- A new pair ------------------------------------------------------------------------------- */

static struct pty *pty_new(void)
{
	struct pty *pty = kzalloc(sizeof *pty);

	if (!pty)
		return NULL;
	pty->output = kmalloc(PTY_OUTPUT_BYTES);
	tty_setup(&pty->tty, &slave_line, 0, B38400,
		kmalloc(TTY_INPUT_CELLS * sizeof *pty->tty.input));
	waitq_init(&pty->master_wait);
	pty->refs = 1;
	pty->locked = true;
	if (pty->output && pty->tty.input)
		return pty;
	pty_free(pty);
	return NULL;
}

static int open_master(struct chrdev *device, struct file *file)
{
	struct pty *pty = pty_new();
	int err;

	(void)device;
	if (!pty)
		return -ENOMEM;
	err = devpts_add(pty);
	if (err) {
		pty_unref(pty);
		return err;
	}
	file->private_data = pty;
	file->ops = &master_ops;
	return 0;
}

void pty_init(void)
{
	if (devpts_init(open_master))
		panic("the names of pseudo-terminals are taken");
}
