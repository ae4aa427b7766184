#include "lib/fault.h"

#include "lib/settler.h"

void fault_open(logbook *b, fault *f)
{
    failalloc_init(&f->memory, 0);
    b->opts.allocator = failalloc_allocator(&f->memory);
    settler_open_ok(b, f->disk);
}

void fault_arm(fault *f, size_t nth)
{
    if (f->is_memory) {
        f->memory.nth = atomic_load(&f->memory.calls) + nth;
    } else {
        memdisk_fail_at(f->disk, f->call, (unsigned)nth, f->os_errno);
    }
}

bool fault_disarm(fault *f)
{
    if (f->is_memory) {
        f->memory.nth = 0;
        return atomic_load(&f->memory.is_hit);
    }
    bool was_reached = memdisk_has_failed(f->disk);
    memdisk_fail_at(f->disk, f->call, 0, 0);
    return was_reached;
}
