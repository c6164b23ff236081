# SPDX-License-Identifier: MIT
"""The harness of the guest's tests (usr/test/lib/tap.h): what it says of tests that fail."""
import pathlib
import subprocess

import build
import pytest
import tap

PROGRAM = r"""
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>
#include "tap.h"

static void wait_for_ever(void *arg)
{
	(void)arg;
	setsid();
	for (;;)
		pause();
}

static void parent_fails(void)
{
	start_child(wait_for_ever, NULL);
	FAIL("said by the parent");
}

static void fail(void *arg)
{
	(void)arg;
	FAIL("said by a child");
}

static void child_fails(void)
{
	start_child(wait_for_ever, NULL);
	start_child(fail, NULL);
	wait_for_ever(NULL);
}

static void parent_dies(void)
{
	start_child(wait_for_ever, NULL);
	raise(SIGKILL);
}

static void second_time_fails(void)
{
	if (mkdir("/root/first", 0700) != 0)
		FAIL("said the second time");
}

static void well(void)
{
}

static const struct test tests[] = {
	{"parent_fails", parent_fails},
	{"child_fails", child_fails},
	{"parent_dies", parent_dies},
	{"second_time_fails", second_time_fails},
	{"well", well},
};

TEST_MAIN(tests)
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    folder = tmp_path_factory.mktemp("harness")
    library = pathlib.Path(build.TREE) / "usr/test/lib"
    (folder / "t.c").write_text(PROGRAM)
    subprocess.run(["riscv64-linux-gnu-gcc", "-static", "-D_GNU_SOURCE", f"-I{library}", "-o",
                    folder / "t", folder / "t.c", *map(str, library.glob("*.c"))], check=True)
    return folder / "t"


@pytest.mark.parametrize("name, why", [
    ("parent_fails", "said by the parent"),
    ("child_fails", "said by a child"),
    ("parent_dies", "ended with wait status 0x9"),
])
def test_message_does_not_wait_for_who_is_left(program, tools_run, name, why):
    """And what is left ends with the run."""
    done = tools_run("--put", f"{program}:/root/t", "--", "/root/t", name, "well")
    results = tap.parse(done.stdout.decode())
    assert [(r.name, r.status) for r in results] == [(name, "failed"), ("the rest", "failed")]
    assert why in results[0].why
    assert done.returncode == 1


def test_rounds_that_look_for_leaks_must_pass(program, tools_run):
    done = tools_run("--put", f"{program}:/root/t", "--", "/root/t", "second_time_fails", "well")
    results = tap.parse(done.stdout.decode())
    assert [(r.name, r.status) for r in results] == [("second_time_fails", "failed"), ("well", "passed")]
    assert "said the second time" in results[0].why
    assert done.returncode == 1
