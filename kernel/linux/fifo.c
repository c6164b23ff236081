// SPDX-License-Identifier: MIT
/*
 * Opening fifos (fifo(7)).
 *
 * A fifo has a pipe from its first open to its last close (vnode.fifo, under the inode lock;
 * pipe_impl.h has the rule).  Who opens one end waits for somebody at the other, who may be gone
 * again when the first wakes up: so it is not ends that are waited for, but opens, which are
 * counted.
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

/* Whom an open waits for: the next to be counted there; NULL: nobody. */
struct partner {
	struct waitq *queue;
	const uint32_t *opens;
	uint32_t seen;
};

/* Looked at in the same hold in which the end is counted: who comes later is seen. */
static struct partner partner_of(struct pipe *p, const struct file *f)
{
	if (file_is_nonblocking(f))
		return (struct partner){NULL, NULL, 0};
	if (opened_for(f, FILE_READABLE) && !p->writers)
		return (struct partner){&p->readable, &p->writer_opens, p->writer_opens};
	if (opened_for(f, FILE_WRITABLE) && !p->readers)
		return (struct partner){&p->writable, &p->reader_opens, p->reader_opens};
	return (struct partner){NULL, NULL, 0};
}

/* f becomes an end.  -ENXIO: there is nobody to read, and f would not wait.  Inode locked. */
static int add_end(struct pipe *p, struct file *f, struct partner *partner)
{
	if (opened_for(f, FILE_WRITABLE) && !p->readers && file_is_nonblocking(f))
		return -ENXIO;
	spin_lock(&p->lock);
	*partner = partner_of(p, f);
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

static int add_end_to_fifo(struct file *f, struct partner *partner)
{
	struct vnode *v = f->vnode;
	struct pipe *p;
	int err;

	fsh_mutex_lock(&v->lock);
	p = pipe_of_fifo(v);
	err = p ? add_end(p, f, partner) : -ENOMEM;
	if (err && p && !p->readers && !p->writers) {
		v->fifo = NULL;
		pipe_free(p);
	}
	fsh_mutex_unlock(&v->lock);
	return err;
}

static int wait_for(struct pipe *p, const struct partner *partner)
{
	spin_lock(&p->lock);
	int err = wait_event_locked(
		partner->queue, &p->lock, *partner->opens != partner->seen, SLEEP_INTERRUPTIBLE);
	spin_unlock(&p->lock);
	return err;
}

static int fifo_open_end(struct file *f)
{
	struct partner partner;
	int err;

	if (!(f->state & (FILE_READABLE | FILE_WRITABLE)))
		return -EINVAL;
	err = add_end_to_fifo(f, &partner);
	if (err || !partner.opens)
		return err;
	err = wait_for(f->private_data, &partner);
	if (err)
		pipe_ops.release(f);
	return err;
}

void fifos_init(void)
{
	fifo_register(fifo_open_end);
}
