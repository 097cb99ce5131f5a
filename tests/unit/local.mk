# tests/unit: cmocka programs; each room lists its own in its .mk.
include tests/unit/base.mk
include tests/unit/submission.mk
include tests/unit/delivery.mk
include tests/unit/control.mk
include tests/unit/mail.mk
include tests/unit/queue.mk
include tests/unit/conf.mk
include tests/unit/sendmail.mk
include tests/unit/drop.mk
include tests/unit/outpostd.mk
include tests/unit/smtp.mk
include tests/unit/token.mk
include tests/unit/outpost.mk
