package api

import (
	"context"
	"strconv"
	"time"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
	"github.com/forewarn-exchange/forewarn/internal/exchange/webhook"
)

type (
	InHook struct {
		Webhook string `path:"webhook" maxLength:"64"`
	}
	inAddHook struct {
		Body struct {
			Program   string    `json:"program" minLength:"1" maxLength:"63"`
			URL       string    `json:"url" minLength:"1" maxLength:"2048" doc:"https address that takes POST; it is not shown to other organisations"`
			Algorithm string    `json:"algorithm,omitempty" enum:"hmac-sha256,ed25519" doc:"absent: hmac-sha256"`
			Notices   bool      `json:"notices,omitempty" doc:"notices of the program are announced, too"`
			Since     time.Time `json:"since,omitempty" doc:"announce what entered the view after this instant; absent: from now on"`
		}
	}
	inReplay struct {
		InHook
		Body struct {
			Since time.Time `json:"since" doc:"what entered the view after this instant is announced anew"`
		}
	}
	inSendings struct {
		InHook
		Paging
	}
	inSending struct {
		InHook
		Delivery string `path:"delivery" maxLength:"64"`
	}
	hook struct {
		ID           string    `json:"id"`
		Organisation string    `json:"organisation"`
		Person       string    `json:"person"`
		Token        string    `json:"token,omitempty" doc:"with which it was made, and with which it ends"`
		Program      string    `json:"program"`
		URL          string    `json:"url"`
		State        string    `json:"state" enum:"active,paused,disabled"`
		Reason       string    `json:"reason,omitempty" doc:"why it is disabled"`
		Silent       string    `json:"silent,omitempty" doc:"why nothing is sent although it is active"`
		Waiting      int       `json:"waiting" doc:"deliveries that wait"`
		Notices      bool      `json:"notices"`
		Algorithm    string    `json:"algorithm"`
		PublicKey    string    `json:"public_key,omitempty" doc:"whpk_…, of an Ed25519 key"`
		TLPCeiling   string    `json:"tlp_ceiling,omitempty"`
		AddedAfter   string    `json:"added_after" format:"date-time" doc:"up to where the receiver was told and said so"`
		CreatedAt    time.Time `json:"created_at"`
		ExpiresAt    time.Time `json:"expires_at"`
		FailingSince time.Time `json:"failing_since,omitzero"`
	}
	newHook struct {
		Secret  string `json:"secret,omitempty" doc:"whsec_…, shown once; absent for Ed25519, whose public key is in the webhook"`
		Webhook hook   `json:"webhook"`
	}
	sending struct {
		ID         string    `json:"id" doc:"the header webhook-id: the same in every attempt"`
		Type       string    `json:"type" enum:"collection.changed,notice,webhook.test"`
		State      string    `json:"state" enum:"pending,sent,failed,cancelled"`
		QueuedAt   time.Time `json:"queued_at"`
		AddedAfter string    `json:"added_after,omitempty" format:"date-time"`
		Count      int       `json:"count,omitempty" doc:"objects that it announced"`
		Notice     string    `json:"notice,omitempty"`
		Attempts   int       `json:"attempts"`
		SentAt     time.Time `json:"sent_at,omitzero" doc:"of the last attempt"`
		Status     int       `json:"status,omitempty" doc:"of its answer"`
		LatencyMS  int64     `json:"latency_ms,omitempty"`
		Error      string    `json:"error,omitempty" doc:"class of its failure: address, dns, connect, tls, timeout, redirect, status, answer, setup"`
		NextAt     time.Time `json:"next_at,omitzero" doc:"of the next attempt"`
	}
)

func wireHook(s webhook.Status) hook {
	w := s.Webhook
	h := hook{
		ID: string(w.ID), Organisation: string(w.Org), Person: string(w.Person), Token: string(w.Token), Program: string(w.Program),
		URL: w.URL, State: string(w.State), Reason: w.Reason, Silent: s.Silent, Waiting: s.Waiting, Notices: w.Notices,
		TLPCeiling: w.Ceiling.String(), AddedAfter: micro(w.Cursor),
		CreatedAt: utc(w.CreatedAt), ExpiresAt: utc(w.ExpiresAt), FailingSince: utc(w.FailingSince),
	}
	if len(w.Keys) > 0 {
		h.Algorithm, h.PublicKey = string(w.Keys[0].Algorithm), w.Keys[0].Public
	}
	return h
}

func wireSending(d webhook.Delivery) sending {
	s := sending{
		ID: d.ID, Type: d.Kind, State: string(d.State), QueuedAt: utc(d.QueuedAt), Count: d.Count, Notice: string(d.Subject),
		Attempts: d.Attempts, SentAt: utc(d.SentAt), Status: d.Status, LatencyMS: d.Latency.Milliseconds(), Error: d.Error,
	}
	if d.Kind == webhook.KindChanged {
		s.AddedAfter = micro(d.After)
	}
	if d.State == webhook.Pending {
		s.NextAt = utc(d.NextAt)
	}
	return s
}

// replyHook reads the webhook anew after an act: with why it is silent, if so.
func (s *server) replyHook(ctx context.Context, a exchange.Actor, id webhook.ID) (*answer[hook], error) {
	st, err := s.Webhooks.Read(ctx, a, id)
	if err != nil {
		return nil, err
	}
	return reply(wireHook(st)), nil
}

// replyKey is the one answer in which a shared secret stands.
func replyKey(w webhook.Webhook) *answer[newHook] {
	out := newHook{Webhook: wireHook(webhook.Status{Webhook: w})}
	if w.Keys[0].Public == "" {
		out.Secret = w.Keys[0].Shown()
	}
	return reply(out)
}

func (s *server) listHooks(ctx context.Context, a exchange.Actor, _ *struct{}) (*answer[list[hook]], error) {
	all, err := s.Webhooks.List(ctx, a)
	if err != nil {
		return nil, err
	}
	return replyList(all, wireHook), nil
}

func (s *server) addHook(ctx context.Context, a exchange.Actor, in *inAddHook) (*answer[newHook], error) {
	w, err := s.Webhooks.Add(ctx, a, webhook.Request{
		Program: exchange.ProgramID(in.Body.Program), URL: in.Body.URL, Algorithm: webhook.Algorithm(in.Body.Algorithm),
		Notices: in.Body.Notices, Since: in.Body.Since,
	})
	if err != nil {
		return nil, err
	}
	return replyKey(w), nil
}

func (s *server) readHook(ctx context.Context, a exchange.Actor, in *InHook) (*answer[hook], error) {
	return s.replyHook(ctx, a, webhook.ID(in.Webhook))
}

func (s *server) removeHook(ctx context.Context, a exchange.Actor, in *InHook) (*none, error) {
	return nil, s.Webhooks.Remove(ctx, a, webhook.ID(in.Webhook))
}

func (s *server) pauseHook(ctx context.Context, a exchange.Actor, in *InHook) (*answer[hook], error) {
	if _, err := s.Webhooks.Pause(ctx, a, webhook.ID(in.Webhook)); err != nil {
		return nil, err
	}
	return s.replyHook(ctx, a, webhook.ID(in.Webhook))
}

func (s *server) resumeHook(ctx context.Context, a exchange.Actor, in *InHook) (*answer[hook], error) {
	if _, err := s.Webhooks.Resume(ctx, a, webhook.ID(in.Webhook)); err != nil {
		return nil, err
	}
	return s.replyHook(ctx, a, webhook.ID(in.Webhook))
}

func (s *server) rotateHook(ctx context.Context, a exchange.Actor, in *InHook) (*answer[newHook], error) {
	w, err := s.Webhooks.Rotate(ctx, a, webhook.ID(in.Webhook))
	if err != nil {
		return nil, err
	}
	return replyKey(w), nil
}

func (s *server) replayHook(ctx context.Context, a exchange.Actor, in *inReplay) (*answer[hook], error) {
	if _, err := s.Webhooks.Replay(ctx, a, webhook.ID(in.Webhook), in.Body.Since); err != nil {
		return nil, err
	}
	return s.replyHook(ctx, a, webhook.ID(in.Webhook))
}

func replySending(d webhook.Delivery, err error) (*answer[sending], error) {
	if err != nil {
		return nil, err
	}
	return reply(wireSending(d)), nil
}

func (s *server) testHook(ctx context.Context, a exchange.Actor, in *InHook) (*answer[sending], error) {
	return replySending(s.Webhooks.Test(ctx, a, webhook.ID(in.Webhook)))
}

func (s *server) sendAgain(ctx context.Context, a exchange.Actor, in *inSending) (*answer[sending], error) {
	return replySending(s.Webhooks.Again(ctx, a, webhook.ID(in.Webhook), in.Delivery))
}

func (s *server) listSendings(ctx context.Context, a exchange.Actor, in *inSendings) (*answer[list[sending]], error) {
	before, err := in.number()
	if err != nil {
		return nil, err
	}
	items, err := s.Webhooks.Sendings(ctx, a, webhook.ID(in.Webhook), before, in.Limit)
	if err != nil {
		return nil, err
	}
	return replyPage(items, in.Paging, "/webhooks/"+in.Webhook+"/deliveries", nil, func(d webhook.Delivery) string {
		return strconv.FormatInt(d.Number, 10)
	}, wireSending), nil
}
