-- Only a public room keeps its name from others: a name refused because a private room has it would
-- tell that there is such a room. `name_key` is NULL for private rooms from here on.
UPDATE rooms SET name_key = NULL WHERE kind = 'private';
