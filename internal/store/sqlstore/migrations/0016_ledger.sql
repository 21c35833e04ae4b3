-- +goose Up

-- What the ledger holds of an event, and what opens it. number counts the events of
-- a program, from 1. covered says which objects a disclosure gave, in the form of
-- exchange/delivery. Events from before have an empty entry until they are carried.
ALTER TABLE event ADD COLUMN number BIGINT NOT NULL DEFAULT 0;
ALTER TABLE event ADD COLUMN salt {{bytes}};
ALTER TABLE event ADD COLUMN entry {{bytes}};
ALTER TABLE event ADD COLUMN covered {{bytes}};
