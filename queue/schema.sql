-- schema.sql: the tables of a queue, version 3. Built into libqueue.
--
-- Times are microseconds since 1970, UTC. Keys of message and event are times as well (microseconds since
-- 2026, one sequence for both), so that one order by key is the order of arrival, and a queue id is
-- the key in hexadecimal.

PRAGMA application_id = 0x6F757470;	-- "outp"
PRAGMA user_version = 3;		-- migrate.c carries older ones over

CREATE TABLE message (
	id INTEGER PRIMARY KEY,
	state TEXT NOT NULL,		-- q queued, h held, f failed, s sent, x deleted; s and x have no body
	due INTEGER NOT NULL,		-- no later than the first next attempt of its recipients
	uid INTEGER NOT NULL,
	user INTEGER NOT NULL,		-- word
	token BLOB NOT NULL,
	sender TEXT NOT NULL,
	envid TEXT,
	ret TEXT,			-- F, H
	body TEXT NOT NULL,		-- 7, 8
	flags INTEGER NOT NULL,		-- 1 SMTPUTF8, 2 made by us, 4 delay warning sent
	size INTEGER NOT NULL,
	lines INTEGER NOT NULL,
	header INTEGER NOT NULL,	-- bytes
	arrival INTEGER NOT NULL,
	chunk INTEGER NOT NULL,		-- key of its first chunk; the others follow it
	unsent INTEGER NOT NULL,	-- recipients that wait
	failed INTEGER NOT NULL,	-- recipients that failed
	done INTEGER			-- when the last recipient stopped waiting
);
-- A submission that is tried again finds its first try. Random, so kept apart and small.
CREATE UNIQUE INDEX message_token ON message (token, uid);
CREATE INDEX message_due ON message (uid, due) WHERE state = 'q';
CREATE INDEX message_state ON message (state);
CREATE INDEX message_done ON message (state, done) WHERE done IS NOT NULL;

-- A recipient that was sent to leaves this table for event.
CREATE TABLE recipient (
	message INTEGER NOT NULL,
	n INTEGER NOT NULL,		-- counts from 1 within the message
	state TEXT NOT NULL,		-- q waits, f failed
	address TEXT NOT NULL,
	original TEXT,			-- NULL: the same
	orcpt TEXT,
	notify INTEGER NOT NULL,
	attempts INTEGER NOT NULL,
	next INTEGER NOT NULL,
	last INTEGER,			-- when it was tried last
	dsn TEXT,
	text TEXT,
	reason TEXT,			-- of the last deferral or failure (reasons.def); NULL: unknown
	PRIMARY KEY (message, n)
) WITHOUT ROWID;

-- Bodies in pieces of 64 KiB.
CREATE TABLE chunk (
	id INTEGER PRIMARY KEY,
	data BLOB NOT NULL
);

-- What happened. That a message was queued is not written here: its row says so.
CREATE TABLE event (
	id INTEGER PRIMARY KEY,
	time INTEGER NOT NULL,
	message INTEGER NOT NULL,
	kind INTEGER NOT NULL,		-- see history.c
	recipient TEXT,
	dsn TEXT,
	text TEXT,
	relay INTEGER,			-- word
	reason TEXT			-- of reasons.def; NULL: unknown
);
CREATE INDEX event_message ON event (message);

-- Strings that come again and again: users, relays.
CREATE TABLE word (
	id INTEGER PRIMARY KEY,
	text TEXT NOT NULL UNIQUE
);

-- The fields of struct queue_relay.
CREATE TABLE relay (
	nexthop TEXT PRIMARY KEY,
	down_since INTEGER NOT NULL,
	down_until INTEGER NOT NULL,
	failures INTEGER NOT NULL,
	reason TEXT NOT NULL,		-- of reasons.def; empty: none
	dsn TEXT NOT NULL,
	text TEXT NOT NULL,
	auth_mark TEXT NOT NULL,		-- of the credential that was refused: salt and 16 bits
	last_ok INTEGER NOT NULL,
	cert_expires INTEGER NOT NULL,	-- seconds
	known TEXT NOT NULL,		-- words, see delivery.h
	tls TEXT NOT NULL,
	mechanism TEXT NOT NULL,
	extensions TEXT NOT NULL,
	not_before INTEGER NOT NULL
) WITHOUT ROWID;

-- When a relay was down and only the administrator could help: this time does not age mail.
CREATE TABLE pause (
	relay TEXT NOT NULL,
	since INTEGER NOT NULL,
	until INTEGER NOT NULL,
	PRIMARY KEY (relay, since, until)
) WITHOUT ROWID;

-- Recipients sent to and failed, by hour since 1970; hour 0 is the sum of those that were forgotten.
CREATE TABLE hour (
	id INTEGER PRIMARY KEY,
	sent INTEGER NOT NULL,
	failed INTEGER NOT NULL
);

-- Counted as messages come and go, since counting a million takes too long.
CREATE TABLE total (
	state TEXT PRIMARY KEY,
	messages INTEGER NOT NULL,
	bytes INTEGER NOT NULL,
	unasked INTEGER NOT NULL	-- with the null sender
) WITHOUT ROWID;
INSERT INTO total VALUES ('q', 0, 0, 0), ('h', 0, 0, 0), ('f', 0, 0, 0), ('s', 0, 0, 0), ('x', 0, 0, 0);

CREATE TRIGGER message_comes AFTER INSERT ON message BEGIN
	UPDATE total SET messages = messages + 1, bytes = bytes + new.size, unasked = unasked + (new.sender = '')
		WHERE state = new.state;
END;
CREATE TRIGGER message_moves AFTER UPDATE OF state ON message WHEN old.state <> new.state BEGIN
	UPDATE total SET messages = messages - 1, bytes = bytes - old.size, unasked = unasked - (old.sender = '')
		WHERE state = old.state;
	UPDATE total SET messages = messages + 1, bytes = bytes + new.size, unasked = unasked + (new.sender = '')
		WHERE state = new.state;
END;
CREATE TRIGGER message_goes AFTER DELETE ON message BEGIN
	UPDATE total SET messages = messages - 1, bytes = bytes - old.size, unasked = unasked - (old.sender = '')
		WHERE state = old.state;
END;

-- One row: the commit with which a flusher proves that the queue takes commits.
CREATE TABLE proof (
	id INTEGER PRIMARY KEY CHECK (id = 1),
	opened INTEGER NOT NULL
);
INSERT INTO proof VALUES (1, 0);
