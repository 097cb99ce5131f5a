-- A queue of version 1: its schema, two relays and a message.
PRAGMA application_id = 0x6F757470;
PRAGMA user_version = 1;
CREATE TABLE message (
	id INTEGER PRIMARY KEY,
	state TEXT NOT NULL,
	due INTEGER NOT NULL,
	uid INTEGER NOT NULL,
	user INTEGER NOT NULL,
	token BLOB NOT NULL,
	sender TEXT NOT NULL,
	envid TEXT,
	ret TEXT,
	body TEXT NOT NULL,
	flags INTEGER NOT NULL,
	size INTEGER NOT NULL,
	lines INTEGER NOT NULL,
	header INTEGER NOT NULL,
	arrival INTEGER NOT NULL,
	chunk INTEGER NOT NULL,
	unsent INTEGER NOT NULL,
	failed INTEGER NOT NULL,
	done INTEGER
);
CREATE UNIQUE INDEX message_token ON message (token, uid);
CREATE INDEX message_due ON message (uid, due) WHERE state = 'q';
CREATE INDEX message_state ON message (state);
CREATE INDEX message_done ON message (state, done) WHERE done IS NOT NULL;
CREATE TABLE recipient (
	message INTEGER NOT NULL,
	n INTEGER NOT NULL,
	state TEXT NOT NULL,
	address TEXT NOT NULL,
	original TEXT,
	orcpt TEXT,
	notify INTEGER NOT NULL,
	attempts INTEGER NOT NULL,
	next INTEGER NOT NULL,
	last INTEGER,
	dsn TEXT,
	text TEXT,
	PRIMARY KEY (message, n)
) WITHOUT ROWID;
CREATE TABLE chunk (
	id INTEGER PRIMARY KEY,
	data BLOB NOT NULL
);
CREATE TABLE event (
	id INTEGER PRIMARY KEY,
	time INTEGER NOT NULL,
	message INTEGER NOT NULL,
	kind INTEGER NOT NULL,
	recipient TEXT,
	dsn TEXT,
	text TEXT,
	relay INTEGER
);
CREATE INDEX event_message ON event (message);
CREATE TABLE word (
	id INTEGER PRIMARY KEY,
	text TEXT NOT NULL UNIQUE
);
CREATE TABLE relay (
	nexthop TEXT PRIMARY KEY,
	down_since INTEGER NOT NULL,
	down_until INTEGER NOT NULL,
	failures INTEGER NOT NULL,
	kind TEXT NOT NULL,
	dsn TEXT NOT NULL,
	text TEXT NOT NULL,
	auth_digest TEXT NOT NULL,
	last_ok INTEGER NOT NULL,
	cert_expires INTEGER NOT NULL,
	info TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE hour (
	id INTEGER PRIMARY KEY,
	sent INTEGER NOT NULL,
	failed INTEGER NOT NULL
);
CREATE TABLE total (
	state TEXT PRIMARY KEY,
	messages INTEGER NOT NULL,
	bytes INTEGER NOT NULL,
	unasked INTEGER NOT NULL
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
CREATE TABLE proof (
	id INTEGER PRIMARY KEY CHECK (id = 1),
	opened INTEGER NOT NULL
);
INSERT INTO proof VALUES (1, 0);
INSERT INTO relay VALUES ('[a]:587', 11, 12, 3, 'auth', '4.7.8', '535 "no"', 'abc', 13, 14,
	'{"pauses":"100-200 300-450","known":"flight=yes window=8","tls":"TLSv1.3 with cipher AES-256-GCM","mechanism":"SCRAM-SHA-256-PLUS","extensions":"PIPELINING SIZE"}');
INSERT INTO relay VALUES ('[b]:587', 0, 0, 0, '', '', '', '', 0, 0, '');
INSERT INTO message VALUES (7, 'q', 1, 0, 1, x'00', 's', NULL, NULL, '7', 0, 3, 1, 0, 1, 1, 1, 0, NULL);
INSERT INTO recipient VALUES (7, 1, 'q', 'a@b', NULL, NULL, 0, 2, 1, NULL, NULL, NULL);
INSERT INTO chunk VALUES (1, 'ab');
