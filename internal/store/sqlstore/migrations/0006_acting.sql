-- +goose Up

-- In which hat somebody acts, and for what purpose; empty: in all, for none named.
ALTER TABLE session ADD COLUMN hat TEXT NOT NULL DEFAULT '';
ALTER TABLE session ADD COLUMN purpose TEXT NOT NULL DEFAULT '';
ALTER TABLE token ADD COLUMN hat TEXT NOT NULL DEFAULT '';
ALTER TABLE token ADD COLUMN purpose TEXT NOT NULL DEFAULT '';
ALTER TABLE webhook ADD COLUMN hat TEXT NOT NULL DEFAULT '';
ALTER TABLE webhook ADD COLUMN purpose TEXT NOT NULL DEFAULT '';
