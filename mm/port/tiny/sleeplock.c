// SPDX-License-Identifier: MIT
#include "sleeplock.h"

#include "console.h"
#include "proc.h"

void acquire_sleep(struct sleeplock *lock)
{
	acquire(&lock->lock);
	if (lock->holder == this_proc())
		panic("acquire_sleep: this process holds the lock already");
	while (lock->holder)
		sleep(lock, &lock->lock, false);
	lock->holder = this_proc();
	release(&lock->lock);
}

void release_sleep(struct sleeplock *lock)
{
	acquire(&lock->lock);
	if (lock->holder != this_proc())
		panic("release_sleep: this process does not hold the lock");
	lock->holder = 0;
	release(&lock->lock);
	wakeup(lock);
}
