package testcluster

import (
	"context"
	"fmt"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// ReadOnly returns the configuration of a user with the permissions get, list and
// watch on everything in the namespace, or in the cluster if namespace is empty.
func (c *Cluster) ReadOnly(t testing.TB, namespace string) *rest.Config {
	t.Helper()
	return c.User(t, namespace, rbacv1.PolicyRule{
		APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"get", "list", "watch"},
	})
}

// User returns the configuration of a new user with the permissions of rules in
// the namespace, or in the cluster if it is empty, and those of every user, such
// as discovery. The administrator impersonates the user. It returns when the
// permissions are effective; they are removed at the end of the test.
func (c *Cluster) User(t testing.TB, namespace string, rules ...rbacv1.PolicyRule) *rest.Config {
	t.Helper()
	client, err := kubernetes.NewForConfig(c.config)
	if err != nil {
		t.Fatalf("create a user: %v", err)
	}
	name := "user-" + rand.String(8)
	config := c.Config()
	config.Impersonate = rest.ImpersonationConfig{UserName: name}
	if len(rules) == 0 {
		return config
	}

	meta := metav1.ObjectMeta{Name: name, Namespace: namespace}
	subjects := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}}
	role := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name}
	if _, err := client.RbacV1().ClusterRoles().Create(t.Context(),
		&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: rules}, metav1.CreateOptions{}); err != nil {
		t.Fatalf("create a user: %v", err)
	}
	if namespace == "" {
		_, err = client.RbacV1().ClusterRoleBindings().Create(t.Context(),
			&rbacv1.ClusterRoleBinding{ObjectMeta: meta, Subjects: subjects, RoleRef: role}, metav1.CreateOptions{})
	} else {
		_, err = client.RbacV1().RoleBindings(namespace).Create(t.Context(),
			&rbacv1.RoleBinding{ObjectMeta: meta, Subjects: subjects, RoleRef: role}, metav1.CreateOptions{})
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		// RoleBindings are deleted with the test's namespace.
		if err := client.RbacV1().ClusterRoles().Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
			t.Logf("delete user %s: %v", name, err)
		}
		if namespace == "" {
			if err := client.RbacV1().ClusterRoleBindings().Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
				t.Logf("delete user %s: %v", name, err)
			}
		}
	})
	if err != nil {
		t.Fatalf("create a user: %v", err)
	}

	// The API server learns of new permissions by a watch, a moment later.
	resource := rules[len(rules)-1]
	Eventually(t, time.Minute, func(ctx context.Context) error {
		review, err := client.AuthorizationV1().SubjectAccessReviews().Create(ctx, &authorizationv1.SubjectAccessReview{
			Spec: authorizationv1.SubjectAccessReviewSpec{User: name, ResourceAttributes: attributes(namespace, resource)},
		}, metav1.CreateOptions{})
		if err != nil {
			return err
		}
		if !review.Status.Allowed {
			return fmt.Errorf("the permissions of user %s are not effective: %s", name, review.Status.Reason)
		}
		return nil
	})
	return config
}

// attributes returns the attributes of one request that rule allows.
func attributes(namespace string, rule rbacv1.PolicyRule) *authorizationv1.ResourceAttributes {
	first := func(list []string) string {
		if len(list) == 0 {
			return ""
		}
		return list[0]
	}
	return &authorizationv1.ResourceAttributes{
		Namespace: namespace, Verb: first(rule.Verbs), Group: first(rule.APIGroups),
		Resource: first(rule.Resources), Name: first(rule.ResourceNames),
	}
}
