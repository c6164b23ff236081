// SPDX-License-Identifier: MIT
/*
 * Opening fifos (fifo(7)).
 *
 * A fifo has a pipe from its first open to its last close (vnode.fifo, under the inode lock; pipe_impl.h
 * has the rule).  Who opens one end waits for somebody at the other, who may be gone again when the
 * first wakes up: so it is not ends that are waited for, but opens, which are counted.
 *
 *	            without O_NONBLOCK            with O_NONBLOCK
 *	 reading    waits for a writer's open     goes on; no hang-up before a writer was there
 *	 writing    waits for a reader's open     -ENXIO without a reader
 *	 both       goes on                       goes on
 */
#include <abi/errno.h>
#include <fs/fifo.h>
#include <kernel/pipe.h>
#include <kernel/pipe_impl.h>
#include <kernel/process.h>

/* The pipe of the fifo, perhaps a new one; inode locked. */
static struct pipe *pipe_of_fifo(struct vnode *v)
{
	struct pipe *p = v->fifo;

	if (p)
		return p;
	p = pipe_alloc();
	if (p) {
		p->vnode = v;
		v->fifo = p;
	}
	return p;
}

static bool opened_for(const struct file *f, unsigned state)
{
	return (f->state & (FILE_READABLE | FILE_WRITABLE)) == state;
}

static bool nonblocking(const struct file *f)
{
	return __atomic_load_n(&f->flags, __ATOMIC_RELAXED) & FS_O_NONBLOCK;
}

/* f becomes an end.  -ENXIO: there is nobody to read, and f would not wait.  Inode locked. */
static int add_end(struct pipe *p, struct file *f)
{
	if (opened_for(f, FILE_WRITABLE) && !p->readers && nonblocking(f))
		return -ENXIO;
	spin_lock(&p->lock);
	f->ops = &pipe_ops;
	f->private_data = p;
	f->state |= FILE_STREAM;
	/* For poll: whom it has seen coming, if nobody is there. */
	f->offset = p->writer_opens - (p->writers != 0);
	if (f->state & FILE_READABLE) {
		p->readers++;
		p->reader_opens++;
	}
	if (f->state & FILE_WRITABLE) {
		p->writers++;
		p->writer_opens++;
	}
	waitq_wake_all(&p->readable);
	waitq_wake_all(&p->writable);
	spin_unlock(&p->lock);
	return 0;
}

static int add_end_to_fifo(struct file *f)
{
	struct vnode *v = f->vnode;
	struct pipe *p;
	int err;

	fsh_mutex_lock(&v->lock);
	p = pipe_of_fifo(v);
	err = p ? add_end(p, f) : -ENOMEM;
	if (err && p && !p->readers && !p->writers) {
		v->fifo = NULL;
		pipe_free(p);
	}
	fsh_mutex_unlock(&v->lock);
	return err;
}

/* Unless there is one: until `opens` moves on. */
static int wait_for_other_end(
	struct pipe *p, struct waitq *queue, const unsigned *others, const uint32_t *opens)
{
	int err = 0;

	spin_lock(&p->lock);
	uint32_t seen = *opens;
	while (!err && !*others && *opens == seen)
		err = waitq_sleep(queue, &p->lock, SLEEP_INTERRUPTIBLE, NO_DEADLINE);
	spin_unlock(&p->lock);
	return err;
}

static int fifo_open_end(struct file *f)
{
	int err;

	if (!(f->state & (FILE_READABLE | FILE_WRITABLE)))
		return -EINVAL;
	err = add_end_to_fifo(f);
	if (err || nonblocking(f))
		return err;
	struct pipe *p = f->private_data;
	if (opened_for(f, FILE_READABLE))
		err = wait_for_other_end(p, &p->readable, &p->writers, &p->writer_opens);
	else if (opened_for(f, FILE_WRITABLE))
		err = wait_for_other_end(p, &p->writable, &p->readers, &p->reader_opens);
	if (err)
		pipe_ops.release(f);
	return err;
}

void fifos_init(void)
{
	fifo_register(fifo_open_end);
}
