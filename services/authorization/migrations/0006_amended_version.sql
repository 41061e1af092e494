-- Which version of a deliberation a dossier amends, as it was when that was drafted: so that it does
-- not undo what was decided since. Of those drafted before nobody knows (0): they are drafted again.
SET LOCAL lock_timeout = '10s';

ALTER TABLE dossier ADD amends_version integer NOT NULL DEFAULT 0;
