// Zig without a C library.
const std = @import("std");
var room: [100000]u8 = undefined;
threadlocal var per_thread: u32 = 5;

pub fn main() void {
    room[0] = 1;
    std.debug.print("hello {d} {d}\n", .{ per_thread, room[0] });
}
