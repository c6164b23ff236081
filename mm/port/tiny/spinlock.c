// SPDX-License-Identifier: MIT
#include "spinlock.h"

#include "console.h"
#include "proc.h"

bool holding(const struct spinlock *lock)
{
	return lock->held && lock->holder == this_cpu();
}

void acquire(struct spinlock *lock)
{
	if (holding(lock))
		panic("acquire: this hart holds the lock already");
	while (__atomic_exchange_n(&lock->held, 1, __ATOMIC_ACQUIRE))
		;
	lock->holder = this_cpu();
	this_cpu()->locks++;
}

void release(struct spinlock *lock)
{
	if (!holding(lock))
		panic("release: this hart does not hold the lock");
	lock->holder = 0;
	this_cpu()->locks--;
	__atomic_store_n(&lock->held, 0, __ATOMIC_RELEASE);
}
