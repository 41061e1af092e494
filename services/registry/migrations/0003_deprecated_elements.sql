-- A data element that is on its way out: nothing new should name it.
SET LOCAL lock_timeout = '10s';
ALTER TABLE data_element ADD deprecated boolean NOT NULL DEFAULT false;
