/*
 * Sandbox: landlock for files, seccomp for calls.
 */
#include "cli/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/assert.h"

/* Newer than the headers that we build with; a kernel's numbers stay. */
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif

enum {
    ABI_WITH_REFER = 2,    /* Linux 5.19: links between directories */
    ABI_WITH_TRUNCATE = 3, /* Linux 6.2 */
};

static const uint64_t list_rights = LANDLOCK_ACCESS_FS_READ_DIR;
static const uint64_t read_rights =
    LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_READ_FILE;
static const uint64_t write_rights =
    LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_READ_FILE |
    LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE |
    LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR |
    LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR;
/* Of these, the ones that a rule for a file may give. */
static const uint64_t file_rights = LANDLOCK_ACCESS_FS_READ_FILE |
                                    LANDLOCK_ACCESS_FS_WRITE_FILE |
                                    LANDLOCK_ACCESS_FS_TRUNCATE;

static bool is_wanted(void)
{
    const char *word = getenv("STET_SANDBOX");
    return word == NULL || strcmp(word, "off") != 0;
}

/* All rights that this kernel can take away; 0: it has no landlock. */
static uint64_t known_rights(void)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
                       LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 1) {
        return 0;
    }
    uint64_t rights = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;
    rights |= abi >= ABI_WITH_REFER ? LANDLOCK_ACCESS_FS_REFER : 0;
    rights |= abi >= ABI_WITH_TRUNCATE ? LANDLOCK_ACCESS_FS_TRUNCATE : 0;
    return rights;
}

/* Before the first rule; without landlock there are none. */
static void begin_rules(sandbox *s)
{
    if (s->is_begun) {
        return;
    }
    s->is_begun = true;
    s->rules = -1;
    struct landlock_ruleset_attr attr = {.handled_access_fs = known_rights()};
    if (is_wanted() && attr.handled_access_fs != 0) {
        s->rules =
            (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
    }
}

void sandbox_allow(sandbox *s, const char *path, sandbox_access access)
{
    begin_rules(s);
    struct stat status;
    int fd = s->rules < 0 ? -1 : open(path, O_PATH | O_CLOEXEC);
    if (fd < 0 && s->rules >= 0 && (errno == EMFILE || errno == ENFILE)) {
        /* Without its rule what is to be used would be refused. */
        close(s->rules);
        s->rules = -1;
    }
    if (fd < 0) {
        return;
    }
    uint64_t rights = access == SANDBOX_LIST   ? list_rights
                      : access == SANDBOX_READ ? read_rights
                                               : write_rights;
    if (fstat(fd, &status) == 0 && !S_ISDIR(status.st_mode)) {
        rights &= file_rights;
    }
    struct landlock_path_beneath_attr rule = {
        .allowed_access = rights & known_rights(), .parent_fd = fd};
    /* EBADFD: a pipe or the like, which landlock does not rule out. */
    (void)syscall(SYS_landlock_add_rule, s->rules, LANDLOCK_RULE_PATH_BENEATH,
                  &rule, 0);
    close(fd);
}

/* Calls that no command makes: asking for one ends the process. */
static const char never[] =
    "accept accept4 add_key bind bpf chroot connect delete_module execve "
    "execveat finit_module fork init_module io_uring_setup kexec_file_load "
    "kexec_load keyctl listen mount open_by_handle_at perf_event_open "
    "pivot_root process_vm_readv process_vm_writev ptrace reboot sendmmsg "
    "sendmsg sendto setns socket socketpair swapon umount2 unshare "
    "userfaultfd vfork";

/* What a command needs, whatever its arguments. */
static const char always[] =
    /* files */
    "access close copy_file_range dup eventfd2 faccessat faccessat2 fallocate "
    "fcntl fdatasync flock fstat fstatfs fsync ftruncate getcwd getdents64 "
    "linkat lseek lstat mkdir mkdirat newfstatat open openat pread64 preadv "
    "pwrite64 pwritev read readv rename renameat renameat2 rmdir stat statfs "
    "statx umask unlink unlinkat write writev "
    /* memory */
    "brk madvise mremap munmap "
    /* threads and signals; waiting for a program that was started before */
    "exit exit_group futex getpid gettid membarrier prlimit64 "
    "restart_syscall rseq rt_sigaction rt_sigprocmask rt_sigreturn "
    "sched_getaffinity sched_yield set_robust_list sigaltstack tgkill wait4 "
    /* time and chance */
    "clock_getres clock_gettime clock_nanosleep getrandom gettimeofday "
    "nanosleep poll ppoll";

/* A rule for each name; a machine that lacks a call needs none for it. */
static bool add_names(scmp_filter_ctx filter, uint32_t action,
                      const char *names)
{
    enum { NAME_MAX_BYTES = 32 };
    const char *p = names;
    while (*p != '\0') {
        char name[NAME_MAX_BYTES];
        size_t len = strcspn(p, " ");
        STET_ASSERT(len < sizeof name);
        (void)snprintf(name, sizeof name, "%.*s", (int)len, p);
        int call = seccomp_syscall_resolve_name(name);
        if (call >= 0 && seccomp_rule_add(filter, action, call, 0) != 0) {
            return false;
        }
        p += len + strspn(p + len, " ");
    }
    return true;
}

/*
 * Calls that are harmless with some arguments: mappings without PROT_EXEC,
 * clone for threads, ioctl to ask for a terminal.
 */
static bool add_bounded(scmp_filter_ctx filter)
{
    const struct {
        int call;
        struct scmp_arg_cmp arg;
    } rules[] = {
        {SCMP_SYS(mmap), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)},
        {SCMP_SYS(mprotect), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)},
        {SCMP_SYS(clone),
         SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD)},
        {SCMP_SYS(ioctl), SCMP_A1(SCMP_CMP_EQ, TCGETS, 0)},
        {SCMP_SYS(ioctl), SCMP_A1(SCMP_CMP_EQ, TIOCGWINSZ, 0)},
    };
    bool is_whole = true;
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        is_whole =
            is_whole && seccomp_rule_add(filter, SCMP_ACT_ALLOW, rules[i].call,
                                         1, rules[i].arg) == 0;
    }
    return is_whole;
}

/*
 * What is on neither list gets ENOSYS, so that a C library that tries a newer
 * call first goes on with the older one. clone3 hides its flags from a filter.
 */
static bool hold_calls(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    bool is_held = filter != NULL &&
                   add_names(filter, SCMP_ACT_KILL_PROCESS, never) &&
                   add_names(filter, SCMP_ACT_ALLOW, always) &&
                   add_bounded(filter) && seccomp_load(filter) == 0;
    seccomp_release(filter);
    return is_held;
}

void sandbox_enter(sandbox *s)
{
    if (s->is_entered) {
        return;
    }
    s->is_entered = true;
    if (!is_wanted()) {
        return;
    }
    begin_rules(s);
    /* Both ask for it, and so no program started later is stronger. */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return;
    }
    if (s->rules >= 0) {
        s->holds_files = syscall(SYS_landlock_restrict_self, s->rules, 0) == 0;
        close(s->rules);
    }
    s->holds_calls = hold_calls();
}

const char *sandbox_text(const sandbox *s)
{
    if (!is_wanted()) {
        return "off: STET_SANDBOX says so";
    }
    if (s->holds_files) {
        return s->holds_calls ? "files and calls"
                              : "files; calls not: no seccomp here";
    }
    return s->holds_calls
               ? "calls; files not: no landlock here"
               : "none: this kernel has neither landlock nor seccomp";
}
