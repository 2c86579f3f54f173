-- A second release beside the live one, with its generation and its share of the visitors.
ALTER TABLE environment ADD COLUMN canary TEXT;
