-- Nobody reads the log by room: whether posts alone have happened in one is counted by its messages. Each event
-- had to write one more page for it, of which no two rooms share one.
DROP INDEX IF EXISTS events_by_room;
