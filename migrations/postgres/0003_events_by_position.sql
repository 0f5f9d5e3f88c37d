-- Nobody reads the log by room: whether posts alone have happened in one is counted by its messages.
DROP INDEX IF EXISTS events_by_room;
