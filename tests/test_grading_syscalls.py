"""The filter of system calls, run by an interpreter of its own: what is listed is denied, and nothing else."""

import errno
import struct

import pytest

from nnbook.grading import syscalls

NEEDED = {"x86_64": [0, 1, 3, 9, 11, 12, 39, 60, 231, 318], "aarch64": [57, 63, 64, 93, 94, 172, 214, 215, 222, 278]}


def judge(machine, audit, number):
    """What the filter answers to a call: the classic Berkeley packet filter's four instructions that it uses."""
    steps = list(struct.iter_unpack("HBBI", syscalls.program(machine)))
    data, place, value = struct.pack("II", number, audit), 0, 0
    while True:
        code, yes, no, k = steps[place]
        place += 1
        if code == syscalls.RETURN:
            return k
        if code == syscalls.LOAD:
            value = struct.unpack_from("I", data, k)[0]
        else:
            place += yes if (value == k if code == syscalls.EQUAL else value >= k) else no


@pytest.mark.parametrize("machine", syscalls.DENIED)
def test_what_is_listed_is_denied_and_nothing_else(machine):
    audit, denied = syscalls.DENIED[machine]
    assert len(set(denied.values())) == len(denied)
    for number in range(600):
        expected = syscalls.DENY if number in denied.values() else syscalls.ALLOW
        assert judge(machine, audit, number) == expected, number
    assert syscalls.DENY & 0xFFFF == errno.EPERM
    assert not set(NEEDED[machine]) & set(denied.values())


@pytest.mark.parametrize("machine", syscalls.DENIED)
def test_calls_of_another_machine_are_not_made(machine):
    audit, _ = syscalls.DENIED[machine]
    assert judge(machine, 0x40000003, 1) == syscalls.KILL  # i386, by int 0x80
    assert judge(machine, audit, 0x40000000 + 39) == syscalls.DENY  # x32
