"""Page faults as the kernel reports them, in order, by perf_event_open: no debugger, no stops."""
