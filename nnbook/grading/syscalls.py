"""The system calls that an answer may not make: a seccomp filter, the jail's second wall.

Limits on memory do not count System V segments, memory files, or file systems mounted in a namespace of
one's own, and limits on processes do not hold for root; none of these is needed to answer a question, so
they end with "Operation not permitted". Standard library only: the jail reads this file by itself.
"""

import ctypes
import platform
import struct

ALIKE = {  # the same numbers on both machines
    "pidfd_open": 434, "clone3": 435, "pidfd_getfd": 438, "io_uring_setup": 425, "io_uring_enter": 426,
    "io_uring_register": 427, "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432,
    "fspick": 433, "mount_setattr": 442, "memfd_secret": 447}
DENIED = {
    "x86_64": (0xC000003E, ALIKE | {
        "shmget": 29, "shmat": 30, "shmctl": 31, "socket": 41, "socketpair": 53, "clone": 56, "fork": 57, "vfork": 58,
        "execve": 59, "semget": 64, "msgget": 68, "ptrace": 101, "personality": 135, "pivot_root": 155, "chroot": 161,
        "mount": 165, "umount2": 166, "mq_open": 240, "add_key": 248, "request_key": 249, "keyctl": 250, "unshare": 272,
        "perf_event_open": 298, "name_to_handle_at": 303, "open_by_handle_at": 304, "setns": 308,
        "process_vm_readv": 310, "process_vm_writev": 311, "memfd_create": 319, "bpf": 321, "execveat": 322,
        "userfaultfd": 323}),
    "aarch64": (0xC00000B7, ALIKE | {
        "umount2": 39, "mount": 40, "pivot_root": 41, "chroot": 51, "personality": 92, "unshare": 97, "ptrace": 117,
        "mq_open": 180, "msgget": 186, "semget": 190, "shmget": 194, "shmctl": 195, "shmat": 196, "socket": 198,
        "socketpair": 199, "add_key": 217, "request_key": 218, "keyctl": 219, "clone": 220, "execve": 221,
        "perf_event_open": 241, "name_to_handle_at": 264, "open_by_handle_at": 265, "setns": 268,
        "process_vm_readv": 270, "process_vm_writev": 271, "memfd_create": 279, "bpf": 280, "execveat": 281,
        "userfaultfd": 282}),
}
LOAD, EQUAL, AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06  # of the classic Berkeley packet filter, on 32 bits
NUMBER_AT, MACHINE_AT = 0, 4
KILL, DENY, ALLOW = 0x80000000, 0x00050001, 0x7FFF0000
FOREIGN = 0x40000000  # numbers from here on belong to x86's x32 calls
PR_SET_SECCOMP, MODE_FILTER = 22, 2


def program(machine):
    """The filter of a machine, as the bytes of its instructions."""
    audit, denied = DENIED[machine]
    numbers = sorted(denied.values())
    steps = [(LOAD, 0, 0, MACHINE_AT), (EQUAL, 1, 0, audit), (RETURN, 0, 0, KILL),
             (LOAD, 0, 0, NUMBER_AT), (AT_LEAST, len(numbers) + 1, 0, FOREIGN)]
    steps += [(EQUAL, len(numbers) - i, 0, number) for i, number in enumerate(numbers)]
    steps += [(RETURN, 0, 0, ALLOW), (RETURN, 0, 0, DENY)]
    return b"".join(struct.pack("HBBI", *step) for step in steps)


def deny():
    """Put the filter over this process for ever. False on a machine whose numbers are not known here."""
    if platform.machine() not in DENIED:
        return False
    code = program(platform.machine())
    instructions = ctypes.create_string_buffer(code, len(code))
    pointer = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(instructions)))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    if prctl(PR_SET_SECCOMP, MODE_FILTER, pointer, 0, 0):
        raise OSError(ctypes.get_errno(), "the kernel takes no filter of system calls")
    return True
