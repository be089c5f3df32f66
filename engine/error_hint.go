package engine

import (
	"fmt"
	"regexp"
	"strings"
)

// quotaHint is what to do about a ResourceQuota that does not allow an object.
const quotaHint = "raise the quota, ask for less, or delete what is no longer needed; kubectl describe quota shows what is used"

// quotaHintFor is quotaHint, but for an object that does not say how much it
// takes of what the quota counts.
func quotaHintFor(text string) string {
	if strings.Contains(text, "must specify") {
		return "set the requests and limits that the message names, or give the namespace a LimitRange with defaults"
	}
	return quotaHint
}

// Values of the wrong type, in the words of [readable] and of the validation of
// custom resources.
var (
	wantsString  = regexp.MustCompile(`expected a string, got (?:the|a) (?:number|boolean)|must be of type string: "?(?:integer|number|boolean)`)
	wantsNumber  = regexp.MustCompile(`expected a (?:number|boolean), got (?:the|a) string|must be of type (?:integer|number|boolean): "?string`)
	unknownField = regexp.MustCompile(`field not declared in schema|is not in the schema|unknown field "`)
)

// refusalHint is what to do about an object that the API server refuses, by the
// text of its refusal; empty if nothing but the object itself is known to be
// wrong.
func refusalHint(text string) string {
	text = readable(text, false)
	refuser := refuserIn(text)
	switch {
	case saysQuota.MatchString(text):
		return quotaHintFor(text)
	case saysUncalled.MatchString(text):
		return fmt.Sprintf("get webhook %s running again: its configuration names its Service, whose pods have to respond", saysUncalled.FindStringSubmatch(text)[1])
	case refuser != "":
		return refuser + " refuses the object, whatever the permissions: change it as the message asks"
	case saysAdmission.MatchString(text):
		return "the cluster's admission rules refuse the object, whatever the permissions: change it as they ask"
	}
	var hints []string
	if wantsString.MatchString(text) {
		hints = append(hints, "put it in quotes, in a template by the function quote")
	}
	if wantsNumber.MatchString(text) {
		hints = append(hints, "write it without quotes")
	}
	if unknownField.MatchString(text) {
		hints = append(hints, "correct the name of the unknown field, or leave it out; Options.FieldValidation can leave it out with a warning, as Helm does")
	}
	return strings.Join(hints, "; ")
}
