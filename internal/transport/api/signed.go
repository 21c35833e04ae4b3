package api

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"github.com/forewarn-exchange/forewarn/internal/exchange"
)

type noticeKey struct {
	Key string `json:"key" doc:"public key that signs notices: name+hash+base64, as C2SP signed-note has it"`
}

func (s *server) readNoticeKey(context.Context, exchange.Actor, *struct{}) (*answer[noticeKey], error) {
	return reply(noticeKey{s.NoticeKey()}), nil
}

// outNote is a signed note. It is bytes and not JSON: what is signed are bytes.
type outNote struct {
	ContentType string `header:"Content-Type"`
	Body        []byte
}

const noteType = "text/plain; charset=utf-8"

func noteAnswer(op *huma.Operation) {
	content(noteType, "the notice as a signed note", &huma.Schema{Type: "string"})(op)
}

func (s *server) readSignedNotice(ctx context.Context, a exchange.Actor, in *inNotice) (*outNote, error) {
	b, err := s.SignedNotice(ctx, a, exchange.NoticeID(in.Notice))
	if err != nil {
		return nil, err
	}
	return &outNote{noteType, b}, nil
}
