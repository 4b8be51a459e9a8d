program hello;
var room: array[0..99999] of byte;
begin
  room[0] := 1;
  writeln('hello ', room[0]);
end.
