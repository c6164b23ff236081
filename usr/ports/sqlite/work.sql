-- SPDX-License-Identifier: MIT
-- A database's day: tables, indexes, transactions, constraints, triggers, views, and what it says in the end.
-- Read by sqlite3 after the line that chooses the journal's mode.
CREATE TABLE person(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, age INTEGER CHECK (age >= 0));
CREATE TABLE visit(person REFERENCES person(id) ON DELETE CASCADE, day TEXT, note BLOB);
CREATE TABLE log(what TEXT);
CREATE INDEX visit_day ON visit(day);
CREATE TRIGGER gone AFTER DELETE ON person BEGIN INSERT INTO log VALUES ('gone: ' || old.name); END;
PRAGMA foreign_keys = ON;
INSERT INTO person(name, age) VALUES ('Ada', 36), ('Grace', 85), ('Edsger', 72);
BEGIN;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
	INSERT INTO visit SELECT 1 + i % 3, date('2020-01-01', (i % 1000) || ' days'), zeroblob(i % 200) FROM n;
COMMIT;
SELECT count(*), sum(length(note)), min(day), max(day) FROM visit;
SELECT name, count(*) FROM person JOIN visit ON person.id = visit.person GROUP BY name ORDER BY name;
BEGIN;
DELETE FROM visit WHERE day < '2021-01-01';
SELECT count(*) FROM visit;
ROLLBACK;
SELECT count(*) FROM visit;
SAVEPOINT s; UPDATE person SET age = age + 1; ROLLBACK TO s; RELEASE s;
SELECT group_concat(age) FROM (SELECT age FROM person ORDER BY id);
INSERT OR IGNORE INTO person(name, age) VALUES ('Ada', 1);
DELETE FROM person WHERE name = 'Grace';
SELECT count(*) FROM visit; SELECT * FROM log;
UPDATE visit SET note = randomblob(300) WHERE rowid % 7 = 0;
CREATE VIEW busy AS SELECT day, count(*) AS n FROM visit GROUP BY day HAVING n > 10;
SELECT count(*), max(n) FROM busy;
SELECT day, n, rank() OVER (ORDER BY n DESC, day) FROM busy LIMIT 3;
CREATE TEMP TABLE scratch AS SELECT * FROM visit ORDER BY length(note) DESC, day LIMIT 5000;
SELECT count(*) FROM scratch;
ALTER TABLE person ADD COLUMN email TEXT DEFAULT 'none';
SELECT * FROM person ORDER BY id;
DROP INDEX visit_day;
DELETE FROM visit WHERE rowid % 2;
VACUUM;
PRAGMA page_count;
PRAGMA integrity_check;
ATTACH 'second.db' AS second;
CREATE TABLE second.copy AS SELECT person, day FROM visit;
BEGIN; INSERT INTO second.copy VALUES (9, 'both'); INSERT INTO log VALUES ('both'); COMMIT;
SELECT count(*) FROM second.copy; SELECT count(*) FROM log;
PRAGMA second.integrity_check;
